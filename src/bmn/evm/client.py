"""A chain as one thing over several endpoints: failover for liveness, quorum for safety, broadcast to all.

`ChainClient` is a seam: a simulation has its own side of it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Final, Protocol, TypeVar

import aiohttp

from bmn.core.errors import ChainError, ConfigError
from bmn.core.units import Address, BlockHash, BlockNumber, ChainId, Gas, Nonce, TxHash, Wei
from bmn.evm.failures import (
    BAD_ANSWER,
    RANGE_TOO_WIDE,
    RATE_LIMITED,
    UNREACHABLE,
    WRONG_CHAIN,
    CallReverted,
    RateLimited,
)
from bmn.evm.node import RpcNode
from bmn.evm.quorum import Vote, count_votes
from bmn.evm.rpc import RpcEndpoint
from bmn.evm.sending import best_outcome
from bmn.evm.types import (
    BlockRef,
    BlockTag,
    ClockBounds,
    Endpoint,
    Fees,
    Head,
    Log,
    Receipt,
    SendOutcome,
    TopicFilter,
    TransactionView,
)
from bmn.observe import chain as observe
from bmn.seams import Clock, Spawner

T = TypeVar("T")


class ChainReader(Protocol):
    """Questions about a chain. Every state read says as of which block.

    All raise ChainError when no usable answer came, and CallReverted where a contract is asked and refuses.
    """

    async def chain_id(self) -> ChainId:
        """Return the chain id served."""
        ...

    async def block(self, ref: BlockRef) -> Head | None:
        """Return the header of `ref`, None if there is no such block."""
        ...

    async def blocks(self, numbers: Sequence[BlockNumber]) -> tuple[Head | None, ...]:
        """Return the headers at `numbers`, in their order."""
        ...

    async def logs(
        self, *, block_hash: BlockHash, addresses: Collection[Address] = (), topics: TopicFilter = ()
    ) -> tuple[Log, ...]:
        """Return the matching logs of one block, in order; no addresses means any."""
        ...

    async def logs_range(
        self, first: BlockNumber, last: BlockNumber, *, addresses: Collection[Address] = (), topics: TopicFilter = ()
    ) -> tuple[Log, ...]:
        """Return the matching logs of the canonical blocks `first` to `last`, both included, in order."""
        ...

    async def code(self, address: Address, at: BlockRef) -> bytes:
        """Return the runtime code; empty for an account without."""
        ...

    async def balance(self, address: Address, at: BlockRef) -> Wei:
        """Return the native balance."""
        ...

    async def nonce(self, address: Address, at: BlockRef) -> Nonce:
        """Return the next unused nonce as of `at`; waiting transactions do not count."""
        ...

    async def call(
        self,
        to: Address,
        data: bytes,
        at: BlockRef,
        *,
        sender: Address | None = None,
        value: Wei = Wei(0),  # noqa: B008 - a NewType of a constant
    ) -> bytes:
        """Return what the contract answers."""
        ...

    async def call_many(self, calls: Sequence[tuple[Address, bytes]], at: BlockRef) -> tuple[bytes | CallReverted, ...]:
        """Return each contract's answer or refusal, in order."""
        ...

    async def receipt(self, tx_hash: TxHash) -> Receipt | None:
        """Return the outcome, None while the transaction is not mined."""
        ...

    async def receipts(self, tx_hashes: Sequence[TxHash]) -> tuple[Receipt | None, ...]:
        """Return each outcome, in order; None for what is not mined."""
        ...

    async def transaction(self, tx_hash: TxHash) -> TransactionView | None:
        """Return the transaction, mined or waiting; None if unknown."""
        ...

    async def estimate_gas(self, *, sender: Address, to: Address | None, data: bytes, value: Wei = Wei(0)) -> Gas:  # noqa: B008 - a NewType of a constant
        """Return the gas a node thinks the transaction needs at its head."""
        ...

    async def fee_suggestion(self) -> Fees:
        """Return prices for inclusion in the next blocks."""
        ...


class Node(ChainReader, Protocol):
    """One endpoint of a chain."""

    @property
    def name(self) -> str:
        """Its name in the configuration."""
        ...

    async def send_raw(self, raw: bytes) -> SendOutcome:
        """Offer signed bytes to this endpoint."""
        ...


class ChainClient(ChainReader, Protocol):
    """A chain: liveness reads take the first usable answer; `agree` is for reads that money depends on."""

    async def agree(self, ask: Callable[[ChainReader], Awaitable[T]]) -> T:
        """Ask every endpoint the same and return what a quorum of them answers, alike.

        Name a block hash or number in `ask`: endpoints have different heads. Answers are compared with `==`.

        Raises:
            ChainError: QUORUM_MISSING, naming who differed or failed.
            CallReverted: a quorum says the contract refuses.
        """
        ...

    async def clock_bounds(self) -> ClockBounds:
        """Return the earliest and the latest head time that any endpoint reports."""
        ...

    async def send_raw(self, raw: bytes) -> SendOutcome:
        """Broadcast signed bytes to all endpoints; return at the first acceptance, else the answer that says most.

        Raises:
            ChainError: RPC_UNREACHABLE; no endpoint answered, and any may hold the transaction all the same.
        """
        ...


class RpcChain:
    """The production side of `ChainClient`; `nodes` are its endpoints one by one, for whoever reports on them."""

    def __init__(self, name: str, nodes: Sequence[Node], *, quorum: int, clock: Clock, spawner: Spawner) -> None:
        """Serve chain `name` by `nodes`, in order of preference. Sends outlive the call that started them in `spawner`.

        Raises:
            ConfigError: fewer nodes than the quorum, a quorum below one, or two nodes of one name.
        """
        if not 1 <= quorum <= len(nodes):
            raise ConfigError("BAD_QUORUM", f"{name}: quorum {quorum} of {len(nodes)} endpoints")
        if len({node.name for node in nodes}) != len(nodes):
            raise ConfigError("BAD_ENDPOINTS", f"{name}: two endpoints have one name")
        self.name = name
        self.nodes = tuple(nodes)
        self._quorum = quorum
        self._clock = clock
        self._spawner = spawner
        self._sends: set[asyncio.Task[None]] = set()
        self._failures = dict.fromkeys((node.name for node in nodes), 0)
        self._rests_until = dict.fromkeys((node.name for node in nodes), float("-inf"))

    async def chain_id(self) -> ChainId:
        """Return the chain id served."""
        return await self._first(lambda node: node.chain_id())

    async def block(self, ref: BlockRef) -> Head | None:
        """Return the header of `ref`. By hash, None only if no endpoint has the block: a lagging one proves nothing."""
        if isinstance(ref, BlockHash):
            return await self._first(lambda node: node.block(ref), go_on_if_none=True)
        return await self._first(lambda node: node.block(ref))

    async def blocks(self, numbers: Sequence[BlockNumber]) -> tuple[Head | None, ...]:
        """Return the headers at `numbers`, in their order, all from one endpoint."""
        return await self._first(lambda node: node.blocks(numbers))

    async def logs(
        self, *, block_hash: BlockHash, addresses: Collection[Address] = (), topics: TopicFilter = ()
    ) -> tuple[Log, ...]:
        """Return the matching logs of one block, in order; no addresses means any."""
        return await self._first(lambda node: node.logs(block_hash=block_hash, addresses=addresses, topics=topics))

    async def logs_range(
        self, first: BlockNumber, last: BlockNumber, *, addresses: Collection[Address] = (), topics: TopicFilter = ()
    ) -> tuple[Log, ...]:
        """Return the matching logs of the canonical blocks `first` to `last`, both included, in order."""
        return await self._first(lambda node: node.logs_range(first, last, addresses=addresses, topics=topics))

    async def code(self, address: Address, at: BlockRef) -> bytes:
        """Return the runtime code; empty for an account without."""
        return await self._first(lambda node: node.code(address, at))

    async def balance(self, address: Address, at: BlockRef) -> Wei:
        """Return the native balance."""
        return await self._first(lambda node: node.balance(address, at))

    async def nonce(self, address: Address, at: BlockRef) -> Nonce:
        """Return the next unused nonce as of `at`; waiting transactions do not count."""
        return await self._first(lambda node: node.nonce(address, at))

    async def call(
        self,
        to: Address,
        data: bytes,
        at: BlockRef,
        *,
        sender: Address | None = None,
        value: Wei = Wei(0),  # noqa: B008 - a NewType of a constant
    ) -> bytes:
        """Return what the contract answers."""
        return await self._first(lambda node: node.call(to, data, at, sender=sender, value=value))

    async def call_many(self, calls: Sequence[tuple[Address, bytes]], at: BlockRef) -> tuple[bytes | CallReverted, ...]:
        """Return each contract's answer or refusal, in order."""
        return await self._first(lambda node: node.call_many(calls, at))

    async def receipt(self, tx_hash: TxHash) -> Receipt | None:
        """Return the outcome, None while the transaction is not mined."""
        return await self._first(lambda node: node.receipt(tx_hash))

    async def receipts(self, tx_hashes: Sequence[TxHash]) -> tuple[Receipt | None, ...]:
        """Return each outcome, in order; None for what is not mined."""
        return await self._first(lambda node: node.receipts(tx_hashes))

    async def transaction(self, tx_hash: TxHash) -> TransactionView | None:
        """Return the transaction, mined or waiting; None only if no endpoint knows it."""
        return await self._first(lambda node: node.transaction(tx_hash), go_on_if_none=True)

    async def estimate_gas(self, *, sender: Address, to: Address | None, data: bytes, value: Wei = Wei(0)) -> Gas:  # noqa: B008 - a NewType of a constant
        """Return the gas a node thinks the transaction needs at its head."""
        return await self._first(lambda node: node.estimate_gas(sender=sender, to=to, data=data, value=value))

    async def fee_suggestion(self) -> Fees:
        """Return prices that stay valid while the base fee doubles."""
        return await self._first(lambda node: node.fee_suggestion())

    async def agree(self, ask: Callable[[ChainReader], Awaitable[T]]) -> T:
        """Return the answer of a quorum; an endpoint that fails counts for nobody, and nothing lowers the quorum.

        Waits until no other answer can reach the quorum too, so a quorum above half is also the fastest.
        """
        inbox: asyncio.Queue[Vote[T]] = asyncio.Queue()
        votes: list[Vote[T]] = []
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._vote(node, ask, inbox)) for node in self.nodes]
            while (result := count_votes(votes, len(self.nodes), self._quorum)) is None:
                votes.append(await inbox.get())
            for task in tasks:
                task.cancel()
        for odd in result.odd:
            observe.endpoint_disagreed(self.name, odd)
        if isinstance(result.answer, ChainError):
            observe.quorum_missing(self.name, result.answer.detail)
        if isinstance(result.answer, (ChainError, CallReverted)):
            raise result.answer
        return result.answer

    async def clock_bounds(self) -> ClockBounds:
        """Return the earliest and the latest head time that any endpoint reports."""
        inbox: asyncio.Queue[Vote[Head | None]] = asyncio.Queue()
        async with asyncio.TaskGroup() as group:
            for node in self.nodes:
                group.create_task(self._vote(node, lambda one: one.block(BlockTag.HEAD), inbox))
        outcomes = [inbox.get_nowait().outcome for _ in self.nodes]
        times = [outcome.timestamp for outcome in outcomes if isinstance(outcome, Head)]
        if not times:
            raise ChainError(UNREACHABLE, f"{self.name}: no endpoint reports a head")
        return ClockBounds(earliest=min(times), latest=max(times))

    async def send_raw(self, raw: bytes) -> SendOutcome:
        """Broadcast; the endpoints that have not answered when this returns still get the bytes."""
        inbox: asyncio.Queue[SendOutcome | ChainError] = asyncio.Queue()
        for node in self.nodes:
            task = self._spawner.spawn(self._offer(node, raw, inbox), name=f"send:{self.name}/{node.name}")
            self._sends.add(task)
            task.add_done_callback(self._sends.discard)
        outcomes: list[SendOutcome] = []
        failures: list[ChainError] = []
        for _ in self.nodes:
            answer = await inbox.get()
            if isinstance(answer, ChainError):
                failures.append(answer)
            elif answer.is_in_flight:
                return answer
            else:
                outcomes.append(answer)
        if outcomes:
            return best_outcome(outcomes)
        raise _all_failed(self.name, failures)

    async def finish_sends(self) -> None:
        """Return once every endpoint has answered every broadcast, or timed out."""
        if self._sends:
            await asyncio.wait(self._sends)

    async def _offer(self, node: Node, raw: bytes, inbox: asyncio.Queue[SendOutcome | ChainError]) -> None:
        try:
            outcome: SendOutcome | ChainError = await node.send_raw(raw)
        except ChainError as error:
            self._failed(node, error)
            outcome = error
        inbox.put_nowait(outcome)

    async def _vote(
        self, node: Node, ask: Callable[[ChainReader], Awaitable[T]], inbox: asyncio.Queue[Vote[T]]
    ) -> None:
        try:
            outcome: T | CallReverted | ChainError = await ask(node)
            self._failures[node.name] = 0
        except CallReverted as refusal:
            outcome = refusal
        except ChainError as error:
            self._failed(node, error)
            outcome = error
        inbox.put_nowait(Vote(name=node.name, outcome=outcome))

    async def _first(self, ask: Callable[[Node], Awaitable[T]], *, go_on_if_none: bool = False) -> T:
        """Return the first usable answer, asking rested endpoints first, all of them if need be."""
        failures: list[ChainError] = []
        answered = False
        for node in self._in_order():
            try:
                answer = await ask(node)
            except ChainError as error:
                self._failed(node, error)
                failures.append(error)
                continue
            self._failures[node.name] = 0
            if answer is not None or not go_on_if_none:
                return answer
            nothing, answered = answer, True
        if answered:
            return nothing
        raise _all_failed(self.name, failures)

    def _in_order(self) -> list[Node]:
        now = self._clock.monotonic()
        # A resting endpoint is asked last, not never: our own caution must not stop a claim.
        return sorted(self.nodes, key=lambda node: max(self._rests_until[node.name], now))

    def _failed(self, node: Node, error: ChainError) -> None:
        if error.code not in _ENDPOINT_FAULTS:
            return
        self._failures[node.name] += 1
        rest = min(REST_FIRST * 2 ** (self._failures[node.name] - 1), REST_MOST)
        if isinstance(error, RateLimited):
            rest = max(rest, error.retry_after)
        self._rests_until[node.name] = self._clock.monotonic() + rest
        observe.endpoint_rested(self.name, node.name, rest)


REST_FIRST: Final = 0.5
"""Seconds an endpoint is asked last after its first failure; doubles with each further one."""
REST_MOST: Final = 30.0
"""The longest such rest, unless the endpoint itself asks for more."""


@asynccontextmanager
async def open_chain(
    *,
    name: str,
    chain_id: ChainId,
    endpoints: Sequence[Endpoint],
    quorum: int,
    clock: Clock,
    spawner: Spawner,
    answer_within: float = 5.0,
) -> AsyncIterator[RpcChain]:
    """Open a chain over HTTP endpoints, in order of preference; each attempt ends within `answer_within` seconds.

    Nothing is asked yet. Closing waits for broadcasts that some endpoint has not answered.

    Raises:
        ConfigError: the quorum does not fit the endpoints, or two have one name.
    """
    # A claim must not wait for a TLS handshake because nothing was asked for some blocks.
    connector = aiohttp.TCPConnector(limit_per_host=64, keepalive_timeout=60.0)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
        nodes = [
            RpcNode(
                RpcEndpoint(
                    session, clock, chain=name, name=endpoint.name, url=endpoint.url, answer_within=answer_within
                ),
                clock,
                chain_id=chain_id,
            )
            for endpoint in endpoints
        ]
        chain = RpcChain(name, nodes, quorum=quorum, clock=clock, spawner=spawner)
        try:
            yield chain
        finally:
            await chain.finish_sends()


_ENDPOINT_FAULTS = {UNREACHABLE, BAD_ANSWER, RATE_LIMITED, WRONG_CHAIN}


def _all_failed(chain: str, failures: list[ChainError]) -> ChainError:
    """Return one error for all: the wish for a narrower range first, since only that one is ours to grant."""
    worst = next((error for error in failures if error.code == RANGE_TOO_WIDE), failures[-1])
    if len(failures) == 1:
        return worst
    return ChainError(worst.code, f"{chain}: every endpoint failed: " + "; ".join(map(str, failures)), hint=worst.hint)
