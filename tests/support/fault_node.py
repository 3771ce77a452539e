"""Nodes that are not up to date, on another branch, or stricter than a local one."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hexbytes import HexBytes
from tests.support.fault_rules import Ask, Call, Refuses, Reply, with_params

_STATE_BLOCK: Final = {
    "eth_call": 1,
    "eth_getBalance": 1,
    "eth_getCode": 1,
    "eth_getTransactionCount": 1,
    "eth_getStorageAt": 2,
    "eth_getBlockReceipts": 0,
}
"""Where a call names the block it is about."""
_TAGS: Final = {"latest", "pending", "safe", "finalized"}


@dataclass(slots=True)
class Behind:
    """A node that knows no block above `height`; None knows all. `safe` and `finalized` are below its own head."""

    height: int | None = None

    def knows(self, push: dict[str, Any]) -> bool:
        """Whether a pushed header or log is from a block the node has."""
        number = push.get("number") or push["blockNumber"]
        return self.height is None or int(number, 16) <= self.height

    async def __call__(self, call: Call, ask: Ask) -> Reply:
        height = self.height
        if height is None:
            return await ask(call)
        if call.method == "eth_blockNumber":
            return call.result(hex(height))
        if call.method == "eth_getBlockByNumber":
            return await self._block(call, ask, height)
        if call.method == "eth_getLogs":
            return await self._logs(call, ask, height)
        at = _STATE_BLOCK.get(call.method)
        if at is not None:
            return await self._state(call, ask, height, at)
        reply = await ask(call)
        found = reply.get("result")
        if not isinstance(found, dict):
            return reply
        number = found.get("number") or found.get("blockNumber")
        if number is None or int(number, 16) <= height:
            return reply
        if call.method == "eth_getTransactionByHash":  # heard of, not mined
            waiting = dict.fromkeys(("blockNumber", "blockHash", "transactionIndex"))
            return call.result(found | waiting)
        return call.result(None)

    async def _block(self, call: Call, ask: Ask, height: int) -> Reply:
        asked, *rest = call.params
        number = await _number(ask, asked, height)
        if number > height:
            return call.result(None)
        return await ask(with_params(call, [hex(number), *rest]))

    async def _logs(self, call: Call, ask: Ask, height: int) -> Reply:
        (query,) = call.params
        if "blockHash" in query:
            block = await ask(Call(method="eth_getBlockByHash", params=[query["blockHash"], False], id=0))
            if block["result"] is None or int(block["result"]["number"], 16) > height:
                return call.error(-32000, "unknown block")
            return await ask(call)
        # As real nodes do: what lies beyond the head is silently no part of the answer.
        first = await _number(ask, query.get("fromBlock", "latest"), height)
        last = await _number(ask, query.get("toBlock", "latest"), height)
        if first > height:
            return call.result([])
        return await ask(with_params(call, [query | {"fromBlock": hex(first), "toBlock": hex(min(last, height))}]))

    async def _state(self, call: Call, ask: Ask, height: int, at: int) -> Reply:
        params = list(call.params) + ["latest"] * (at + 1 - len(call.params))
        if isinstance(params[at], dict):  # by hash
            block = await ask(Call(method="eth_getBlockByHash", params=[params[at]["blockHash"], False], id=0))
            number = height + 1 if block["result"] is None else int(block["result"]["number"], 16)
        else:
            number = await _number(ask, params[at], height)
        if number > height:
            return call.error(-32000, "header not found")
        if not isinstance(params[at], dict):
            params[at] = hex(number)
        return await ask(with_params(call, params))


async def _number(ask: Ask, block: str, height: int) -> int:
    """Return the number of a tag or quantity at a node whose head is `height`."""
    match block:
        case "latest" | "pending":
            return height
        case "safe":
            return max(height - 1, 0)
        case "finalized":
            return max(height - 2, 0)
        case "earliest":
            return 0
        case _:
            return int(block, 16)


@dataclass(slots=True)
class OtherBranch:
    """A node that has other blocks from number `first` on: each hash is another one, parents fit. Rule for `*`."""

    first: int
    _real: dict[str, str] = field(default_factory=dict)

    async def __call__(self, call: Call, ask: Ask) -> Reply:
        reply = await ask(with_params(call, [self._asked(param) for param in call.params]))
        result = reply.get("result")
        if isinstance(result, list):
            return reply | {"result": [self._told(one) for one in result]}
        return reply | {"result": self._told(result)} if isinstance(result, dict) else reply

    def _asked(self, param: Any) -> Any:
        if isinstance(param, dict) and "blockHash" in param:
            return param | {"blockHash": self._real.get(param["blockHash"], param["blockHash"])}
        return self._real.get(param, param) if isinstance(param, str) else param

    def _told(self, found: dict[str, Any]) -> dict[str, Any]:
        told = dict(found)
        if "parentHash" in found:
            number = int(found["number"], 16)
            if number >= self.first:
                told["hash"] = self._other(found["hash"])
            if number > self.first:
                told["parentHash"] = self._other(found["parentHash"])
        elif found.get("blockNumber") is not None and int(found["blockNumber"], 16) >= self.first:
            told["blockHash"] = self._other(found["blockHash"])
        return told

    def _other(self, block_hash: str) -> str:
        other = "0x" + bytes(byte ^ 0x5A for byte in bytes.fromhex(block_hash[2:])).hex()
        self._real[other] = block_hash
        return other


def without_logs(gone: Callable[[dict[str, Any]], bool]) -> Callable[[Any], Any]:
    """Return an edit of `eth_getLogs` that leaves out the logs for which `gone` says so."""
    return lambda logs: [log for log in logs if not gone(log)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """What a provider answers to `eth_getLogs` at most; `refusal` is its way to say no. Inclusive bounds."""

    refusal: Callable[[int, int], Refuses]
    """Of the first and last block of a range that would be granted."""
    blocks: int = 10**9
    results: int = 10**9

    async def __call__(self, call: Call, ask: Ask) -> Reply:
        (query,) = call.params
        if "blockHash" in query:
            return await ask(call)
        first, last = (int(query[name], 16) for name in ("fromBlock", "toBlock"))
        if last < first:
            return call.error(-32000, "invalid block range params")
        if last - first + 1 > self.blocks:
            return await self.refusal(first, first + self.blocks - 1)(call, ask)
        reply = await ask(call)
        if len(reply.get("result") or ()) > self.results:
            return await self.refusal(first, (first + last) // 2)(call, ask)
        return reply


@dataclass(slots=True)
class StrictPool:
    """A pool that replaces a waiting transaction only for 10 % more of both prices, as nodes of real chains do.

    Rule for `eth_sendRawTransaction`; knows only what came through it.
    """

    _waiting: dict[tuple[str, int], tuple[str, int, int]] = field(default_factory=dict)

    async def __call__(self, call: Call, ask: Ask) -> Reply:
        raw = HexBytes(call.params[0])
        fields = TypedTransaction.from_bytes(raw).as_dict()
        place = (Account.recover_transaction(raw), int(fields["nonce"]))
        cap, tip = int(fields["maxFeePerGas"]), int(fields["maxPriorityFeePerGas"])
        before = self._waiting.get(place)
        if before is not None and await _is_waiting(ask, before[0]):
            enough = all(100 * now >= 110 * then for now, then in zip((cap, tip), before[1:], strict=True))
            if not enough:
                return call.error(-32000, "replacement transaction underpriced")
        reply = await ask(call)
        if "result" in reply:
            self._waiting[place] = (reply["result"], cap, tip)
        return reply


async def _is_waiting(ask: Ask, tx_hash: str) -> bool:
    found = (await ask(Call(method="eth_getTransactionByHash", params=[tx_hash], id=0)))["result"]
    return found is not None and found["blockNumber"] is None
