"""What an endpoint may do wrong, as values for `FaultProxy.when`. What is about one call is a `Twist`."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeAlias

Reply: TypeAlias = dict[str, Any]
"""A JSON-RPC answer: `id` with `result` or `error`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One JSON-RPC call as the client wrote it."""

    method: str
    params: list[Any]
    id: object

    @property
    def request(self) -> dict[str, Any]:
        return {"jsonrpc": "2.0", "id": self.id, "method": self.method, "params": self.params}

    def result(self, result: object) -> Reply:
        return {"jsonrpc": "2.0", "id": self.id, "result": result}

    def error(self, code: int, message: str, data: object = None) -> Reply:
        error = {"code": code, "message": message} | ({} if data is None else {"data": data})
        return {"jsonrpc": "2.0", "id": self.id, "error": error}


Ask: TypeAlias = Callable[[Call], Awaitable[Reply]]
"""Puts a call to the node behind, or to the next twist before it."""


class Twist(Protocol):
    """Answers one call, with or without the node. None leaves it out of its batch."""

    async def __call__(self, call: Call, ask: Ask) -> Reply | None: ...


@dataclass(frozen=True, slots=True)
class Says:
    """Always the same result."""

    value: object

    async def __call__(self, call: Call, ask: Ask) -> Reply:
        return call.result(self.value)


@dataclass(frozen=True, slots=True)
class Refuses:
    """Always the same error; within a batch it is the one item that fails."""

    code: int
    message: str
    data: object = None

    async def __call__(self, call: Call, ask: Ask) -> Reply:
        return call.error(self.code, self.message, self.data)


@dataclass(frozen=True, slots=True)
class Edits:
    """The node's own result, changed; `edit` gets a result that is not null."""

    edit: Callable[[Any], Any]

    async def __call__(self, call: Call, ask: Ask) -> Reply:
        reply = await ask(call)
        return reply if reply.get("result") is None else reply | {"result": self.edit(reply["result"])}


@dataclass(frozen=True, slots=True)
class WrongId:
    """The right answer under the id of another question."""

    async def __call__(self, call: Call, ask: Ask) -> Reply:
        return await ask(call) | {"id": 987_654_321}


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An item missing from a batch."""

    async def __call__(self, call: Call, ask: Ask) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Held:
    """The request waits before the node is asked, until `release` is called; never is a hang."""

    reached: asyncio.Event = field(default_factory=asyncio.Event)
    _released: asyncio.Event = field(default_factory=asyncio.Event)

    def release(self) -> None:
        self._released.set()

    async def wait(self) -> None:
        self.reached.set()
        await self._released.wait()


@dataclass(frozen=True, slots=True)
class Reset:
    """The connection breaks, and the node never saw the request."""


@dataclass(frozen=True, slots=True)
class LostReply:
    """The node did what was asked; the connection breaks before the answer."""


@dataclass(frozen=True, slots=True)
class CutOff:
    """The connection breaks half way through the answer."""


@dataclass(frozen=True, slots=True)
class Truncated:
    """A whole HTTP answer with half of the JSON."""


@dataclass(frozen=True, slots=True)
class Reversed:
    """The items of a batch in the opposite order."""


@dataclass(frozen=True, slots=True)
class Status:
    """An HTTP answer of whoever stands before the node."""

    status: int
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


ExchangeFault: TypeAlias = Held | Reset | LostReply | CutOff | Truncated | Reversed | Status
"""Happens to the HTTP exchange that carries the call."""
Fault: TypeAlias = Twist | ExchangeFault

GATEWAY_PAGE = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body><center>nginx</center></body>\r\n</html>"


@dataclass(slots=True, kw_only=True, eq=False)
class Rule:
    """When a fault happens. `seen` counts the calls that match from the making of the rule on."""

    method: str
    fault: Fault
    where: Callable[[list[Any]], bool] | None = None
    nth: int | None = None
    times: int | None = None
    chance: float = 1.0
    seen: int = 0
    hits: int = 0

    def strikes(self, call: Call, draw: Callable[[], float]) -> bool:
        """Whether the fault happens to this call; counts it. `draw` gives a number in [0, 1)."""
        if self.method not in {"*", call.method} or not (self.where is None or self.where(call.params)):
            return False
        self.seen += 1
        if (self.nth is not None and self.seen != self.nth) or (self.times is not None and self.hits >= self.times):
            return False
        if self.chance < 1.0 and draw() >= self.chance:
            return False
        self.hits += 1
        return True


def chained(twists: list[Twist], node: Ask) -> Callable[[Call], Awaitable[Reply | None]]:
    """Return one question through all `twists`, the first outermost."""
    if not twists:
        return node
    first, rest = twists[0], chained(twists[1:], node)

    async def ask(call: Call) -> Reply:
        reply = await rest(call)
        return call.result(None) if reply is None else reply

    return lambda call: first(call, ask)


def with_params(call: Call, params: list[Any]) -> Call:
    return replace(call, params=params)
