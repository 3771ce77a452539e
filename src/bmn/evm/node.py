"""One node's answers as typed values, each checked against the question."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from bmn.core.errors import ChainError
from bmn.core.hashing import keccak
from bmn.core.units import Address, BlockHash, BlockNumber, ChainId, Gas, Nonce, TxHash, Wei
from bmn.evm.failures import (
    BAD_ANSWER,
    NODE_BEHIND,
    NODE_ERROR,
    TAG_UNKNOWN,
    WRONG_CHAIN,
    CallReverted,
    RateLimited,
    translate_error,
)
from bmn.evm.rpc import Answer, NodeError, Params, RpcEndpoint, T
from bmn.evm.sending import classify_refusal
from bmn.evm.types import (
    USUAL_ROLES,
    BlockRef,
    BlockTag,
    EndpointRole,
    Fees,
    Head,
    Log,
    Receipt,
    SendOutcome,
    SendStatus,
    TopicFilter,
    TransactionView,
)
from bmn.evm.wire import DATA, HEAD, LOGS, QUANTITY, RECEIPT, TRANSACTION, block_param, hex_data, quantity
from bmn.seams import Clock

RECHECK_CHAIN_AFTER: Final = 300.0
"""Seconds after which a node is asked again which chain it serves: a provider may swap what is behind its URL."""


class RpcNode:
    """Typed questions to one endpoint. Refuses to answer for another chain than its own."""

    def __init__(
        self, rpc: RpcEndpoint, clock: Clock, *, chain_id: ChainId, roles: frozenset[EndpointRole] = USUAL_ROLES
    ) -> None:
        self.name = rpc.name
        self.roles = roles
        self.vitals = rpc.vitals
        self._rpc = rpc
        self._clock = clock
        self._chain_id = chain_id
        self._check_again_at = float("-inf")
        self._ask_tag_at: dict[BlockTag, float] = {}

    async def chain_id(self) -> ChainId:
        """Return the chain id the node serves, whatever we expect."""
        served = await self._rpc.call("eth_chainId", (), QUANTITY)
        return ChainId(self._found("eth_chainId", served))

    async def block(self, ref: BlockRef) -> Head | None:
        """Return the header of `ref`, None if the node has no such block.

        Raises:
            ChainError: also TAG_UNKNOWN, the node knows no `safe` or `finalized`; asked again after a while.
        """
        if isinstance(ref, BlockHash):
            head = await self._call("eth_getBlockByHash", (hex_data(ref), False), HEAD)
        elif ref is BlockTag.SAFE or ref is BlockTag.FINALIZED:
            head = await self._tagged(ref)
        else:
            head = await self._call("eth_getBlockByNumber", (block_param(ref), False), HEAD)
        if head is not None and not isinstance(ref, BlockTag) and ref not in {head.hash, head.number}:
            raise self._bad("eth_getBlock", "another block than asked for")
        return head

    async def _tagged(self, tag: BlockTag) -> Head | None:
        unknown = ChainError(TAG_UNKNOWN, f"{self._rpc.where} knows no block {tag.value}")
        now = self._clock.monotonic()
        if now < self._ask_tag_at.get(tag, now):
            raise unknown
        try:
            return await self._call("eth_getBlockByNumber", (block_param(tag), False), HEAD)
        except ChainError as error:
            if error.code != NODE_ERROR:
                raise
            self._ask_tag_at[tag] = now + RECHECK_CHAIN_AFTER
            raise unknown from error

    async def blocks(self, numbers: Sequence[BlockNumber]) -> tuple[Head | None, ...]:
        """Return the headers at `numbers`, in their order."""
        calls: list[Params] = [(quantity(number), False) for number in numbers]
        heads = await self._batch("eth_getBlockByNumber", calls, HEAD)
        if any(head is not None and head.number != number for head, number in zip(heads, numbers, strict=True)):
            raise self._bad("eth_getBlockByNumber", "another block than asked for")
        return tuple(heads)

    async def logs(
        self, *, block_hash: BlockHash, addresses: Collection[Address] = (), topics: TopicFilter = ()
    ) -> tuple[Log, ...]:
        """Return the matching logs of one block; no addresses means any.

        Raises:
            ChainError: also when the node does not know the block.
        """
        found = await self._logs({"blockHash": hex_data(block_hash)}, addresses, topics)
        if any(log.block_hash != block_hash for log in found):
            raise self._bad("eth_getLogs", "a log of another block")
        return found

    async def logs_range(
        self, first: BlockNumber, last: BlockNumber, *, addresses: Collection[Address] = (), topics: TopicFilter = ()
    ) -> tuple[Log, ...]:
        """Return the matching logs of the canonical blocks `first` to `last`, both included.

        Raises:
            ChainError: NODE_BEHIND when the node lacks `last` (it would answer an empty list), RANGE_TOO_WIDE.
        """
        if await self.block(last) is None:
            raise ChainError(NODE_BEHIND, f"{self._rpc.where} has no block {last}")
        span = {"fromBlock": quantity(first), "toBlock": quantity(last)}
        found = await self._logs(span, addresses, topics)
        if any(not first <= log.block_number <= last for log in found):
            raise self._bad("eth_getLogs", "a log outside the range")
        return found

    async def code(self, address: Address, at: BlockRef) -> bytes:
        """Return the runtime code; empty for an account without."""
        return await self._answer("eth_getCode", (hex_data(address), block_param(at)), DATA)

    async def balance(self, address: Address, at: BlockRef) -> Wei:
        """Return the native balance."""
        return Wei(await self._answer("eth_getBalance", (hex_data(address), block_param(at)), QUANTITY))

    async def nonce(self, address: Address, at: BlockRef) -> Nonce:
        """Return the next unused nonce as of `at`; waiting transactions do not count."""
        where = (hex_data(address), block_param(at))
        return Nonce(await self._answer("eth_getTransactionCount", where, QUANTITY))

    async def call(
        self,
        to: Address,
        data: bytes,
        at: BlockRef,
        *,
        sender: Address | None = None,
        value: Wei = Wei(0),  # noqa: B008 - a NewType of a constant
    ) -> bytes:
        """Return what the contract answers.

        Raises:
            CallReverted: the contract refused.
        """
        return await self._answer("eth_call", (_call(to, data, sender, value), block_param(at)), DATA)

    async def call_many(self, calls: Sequence[tuple[Address, bytes]], at: BlockRef) -> tuple[bytes | CallReverted, ...]:
        """Return each contract's answer or refusal, in order."""
        params: list[Params] = [(_call(to, data, None, Wei(0)), block_param(at)) for to, data in calls]
        await self._check_chain()
        answers: list[bytes | CallReverted] = []
        for result in await self._rpc.batch("eth_call", params, DATA):
            if isinstance(result, ChainError):
                raise result
            if isinstance(result, CallReverted):
                answers.append(result)
            else:
                answers.append(self._found("eth_call", result))
        return tuple(answers)

    async def receipt(self, tx_hash: TxHash) -> Receipt | None:
        """Return the outcome, None while the transaction is not mined."""
        return (await self.receipts([tx_hash]))[0]

    async def receipts(self, tx_hashes: Sequence[TxHash]) -> tuple[Receipt | None, ...]:
        """Return each outcome, in order; None for what is not mined."""
        calls: list[Params] = [(hex_data(tx_hash),) for tx_hash in tx_hashes]
        found = await self._batch("eth_getTransactionReceipt", calls, RECEIPT)
        if any(one is not None and one.tx_hash != asked for one, asked in zip(found, tx_hashes, strict=True)):
            raise self._bad("eth_getTransactionReceipt", "a receipt of another transaction")
        return tuple(found)

    async def transaction(self, tx_hash: TxHash) -> TransactionView | None:
        """Return the transaction, mined or waiting; None if the node does not know it."""
        found = await self._call("eth_getTransactionByHash", (hex_data(tx_hash),), TRANSACTION)
        if found is not None and found.hash != tx_hash:
            raise self._bad("eth_getTransactionByHash", "another transaction")
        return found

    async def estimate_gas(self, *, sender: Address, to: Address | None, data: bytes, value: Wei = Wei(0)) -> Gas:  # noqa: B008 - a NewType of a constant
        """Return the gas the node thinks the transaction needs at its head.

        Raises:
            CallReverted: it would revert.
        """
        return Gas(await self._answer("eth_estimateGas", (_call(to, data, sender, value),), QUANTITY))

    async def fee_suggestion(self) -> Fees:
        """Return prices valid until the base fee doubles (six full blocks), with the tip the node proposes."""
        head = await self.block(BlockTag.HEAD)
        if head is None:
            raise self._bad("eth_getBlockByNumber", "no head")
        tip = await self._answer("eth_maxPriorityFeePerGas", (), QUANTITY)
        return Fees(max_fee_per_gas=Wei(2 * head.base_fee + tip), max_priority_fee_per_gas=Wei(tip))

    async def send_raw(self, raw: bytes) -> SendOutcome:
        """Offer signed bytes to this node. They name their chain themselves, so it is not asked first.

        Raises:
            ChainError: no usable answer; the node may hold the transaction all the same.
        """
        method = "eth_sendRawTransaction"
        answer = await self._rpc.ask(method, (hex_data(raw),), DATA)
        if isinstance(answer, NodeError):
            outcome = classify_refusal(answer.message, where=self._rpc.where)
            limit = translate_error(answer.code, answer.message, answer.data, where=f"{self._rpc.where} {method}")
            if outcome.status is SendStatus.REFUSED and isinstance(limit, RateLimited):
                raise limit
            return outcome
        if answer != keccak(raw):
            raise self._bad(method, "another transaction's hash")
        return SendOutcome(status=SendStatus.ACCEPTED, detail="")

    async def _logs(
        self, span: Mapping[str, str], addresses: Collection[Address], topics: TopicFilter
    ) -> tuple[Log, ...]:
        query: dict[str, object] = dict(span)
        if addresses:
            query["address"] = [hex_data(address) for address in addresses]
        if topics:
            query["topics"] = [None if any_of is None else [hex_data(topic) for topic in any_of] for any_of in topics]
        found = await self._answer("eth_getLogs", (query,), LOGS)
        wanted = frozenset(addresses)
        if wanted and any(log.address not in wanted for log in found):
            raise self._bad("eth_getLogs", "a log of an address nobody asked for")
        return found

    async def _answer(self, method: str, params: Params, answer: Answer[T]) -> T:
        result = await self._call(method, params, answer)
        return self._found(method, result)

    async def _call(self, method: str, params: Params, answer: Answer[T]) -> T | None:
        await self._check_chain()
        return await self._rpc.call(method, params, answer)

    async def _batch(self, method: str, calls: Sequence[Params], answer: Answer[T]) -> list[T | None]:
        await self._check_chain()
        if len(calls) == 1:
            return [await self._rpc.call(method, calls[0], answer)]
        results: list[T | None] = []
        for result in await self._rpc.batch(method, calls, answer):
            if isinstance(result, (ChainError, CallReverted)):
                raise result
            results.append(result)
        return results

    async def _check_chain(self) -> None:
        now = self._clock.monotonic()
        if now < self._check_again_at:
            return
        served = await self.chain_id()
        if served != self._chain_id:
            raise ChainError(
                WRONG_CHAIN,
                f"{self._rpc.where} serves chain {served}, not {self._chain_id}",
                hint="correct the endpoint's URL or the chain's id in the configuration",
            )
        self._check_again_at = now + RECHECK_CHAIN_AFTER

    def _found(self, method: str, result: T | None) -> T:
        if result is None:
            raise self._bad(method, "null")
        return result

    def _bad(self, method: str, what: str) -> ChainError:
        return ChainError(BAD_ANSWER, f"{self._rpc.where} {method}: answered {what}")


def _call(to: Address | None, data: bytes, sender: Address | None, value: Wei) -> dict[str, str]:
    call = {"data": hex_data(data)}
    if to is not None:
        call["to"] = hex_data(to)
    if sender is not None:
        call["from"] = hex_data(sender)
    if value:
        call["value"] = quantity(value)
    return call
