"""A faulty endpoint between our client and a local chain: HTTP (single and batch) and WebSocket on one port.

A test holds the object and changes its rules between two awaits; nothing else controls it. It never sleeps and draws
only from its seed, so a run can be repeated. Without rules it hands on the same bytes. One proxy is one endpoint: open
several over one chain for a pool.
"""

import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random
from typing import Any, assert_never

import aiohttp
from aiohttp import web
from tests.support.fault_node import Behind
from tests.support.fault_rules import (
    Call,
    CutOff,
    ExchangeFault,
    Fault,
    Held,
    LostReply,
    Reply,
    Reset,
    Reversed,
    Rule,
    Status,
    Truncated,
    Twist,
    chained,
)
from tests.support.fault_sockets import Sockets

from bmn.devnet.anvil import Anvil
from bmn.evm.types import Endpoint

_BODY_MOST = 2**25
_BATCH_MOST = 10_000


class FaultProxy:
    """One endpoint. `calls` counts by method, `sent` and `answered` bytes of bodies by method or `batch`."""

    def __init__(self, anvil: Anvil, session: aiohttp.ClientSession, *, name: str, seed: int) -> None:
        self.anvil = anvil
        self.name = name
        self.rules: list[Rule] = []
        self.injected: list[tuple[str, str]] = []
        """Every fault that happened: method and kind."""
        self.calls: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.behind = Behind()
        """Up to what height the endpoint knows the chain."""
        self.body_most = _BODY_MOST
        """Bytes of a request; more is HTTP 413."""
        self.batch_most = _BATCH_MOST
        """Calls in a batch; more is one error for all."""
        self.sockets = Sockets(anvil.ws_url, session, self._answer_pushed, self.behind)
        self.port = 0
        self._session = session
        self._random = Random(seed)

    @property
    def endpoint(self) -> Endpoint:
        """Where it is, for a chain client."""
        return Endpoint(name=self.name, url=self.url, ws_url=self.url.replace("http", "ws", 1))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def when(
        self,
        method: str,
        fault: Fault,
        *,
        where: Callable[[list[Any]], bool] | None = None,
        nth: int | None = None,
        times: int | None = None,
        chance: float = 1.0,
    ) -> Rule:
        """Let `fault` happen to calls of `method` (`*` is any) whose parameters fit `where`, from now on.

        Only to the `nth` of them (from 1), to the first `times`, each with a `chance`. Over a WebSocket only what is
        about one call happens.
        """
        rule = Rule(method=method, fault=fault, where=where, nth=nth, times=times, chance=chance)
        self.rules.append(rule)
        return rule

    def end(self, rule: Rule) -> None:
        """Take one rule back; whoever is held by it goes on."""
        self.rules.remove(rule)
        if isinstance(rule.fault, Held):
            rule.fault.release()

    def heal(self) -> None:
        """Be a good endpoint again."""
        for rule in list(self.rules):
            self.end(rule)
        self.behind.height = None
        self.body_most, self.batch_most = _BODY_MOST, _BATCH_MOST
        self.sockets.heal()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self.sockets.serve(request)
        return await self._exchange(request, await request.read())

    async def _exchange(self, request: web.Request, body: bytes) -> web.StreamResponse:
        calls = _calls_in(body)
        methods = {call.method for call in calls}
        label = methods.pop() if len(methods) == 1 else "batch"
        self.sent[label] += len(body)
        faults = [self._faults_of(call) for call in calls]
        spoils = [fault for found in faults for fault in found if isinstance(fault, ExchangeFault)]
        for held in spoils:
            if isinstance(held, Held):
                await held.wait()
        if any(isinstance(fault, Reset) for fault in spoils):
            return _break(request)
        answer = self._refused_whole(body, len(calls), spoils) or await self._answered(body, calls, faults)
        for fault in spoils:
            match fault:
                case LostReply():
                    return _break(request)
                case CutOff():
                    return await _cut_off(request, answer)
                case Truncated():
                    answer.body = _bytes(answer)[: len(_bytes(answer)) // 2]
                case Reversed():
                    answer.body = json.dumps(json.loads(_bytes(answer))[::-1]).encode()
                case Held() | Reset() | Status():
                    pass  # happened before
                case _:
                    assert_never(fault)
        self.answered[label] += len(_bytes(answer))
        return answer

    def _refused_whole(self, body: bytes, count: int, spoils: list[ExchangeFault]) -> web.Response | None:
        if len(body) > self.body_most:
            return web.Response(status=413, text=f"content length too large ({len(body)}>{self.body_most})")
        if count > self.batch_most:
            error = {"code": -32600, "message": "batch too large"}
            return web.json_response({"jsonrpc": "2.0", "id": None, "error": error})
        for fault in spoils:
            if isinstance(fault, Status):
                return web.Response(status=fault.status, text=fault.body, headers=fault.headers)
        return None

    async def _answered(self, body: bytes, calls: list[Call], faults: list[list[Fault]]) -> web.Response:
        """Hand on the same bytes both ways, unless a call of them is twisted."""
        twists: list[list[Twist]] = [[one for one in found if not isinstance(one, ExchangeFault)] for found in faults]
        if not any(twists):
            return await self._forwarded(body)
        replies = [await chained(own, self._ask)(call) for call, own in zip(calls, twists, strict=True)]
        given = [reply for reply in replies if reply is not None]
        is_batch = body.lstrip().startswith(b"[")
        return web.json_response(given if is_batch or not given else given[0])

    def _faults_of(self, call: Call) -> list[Fault]:
        self.calls[call.method] += 1
        struck = [rule.fault for rule in self.rules if rule.strikes(call, self._random.random)]
        self.injected.extend((call.method, type(fault).__name__) for fault in struck)
        return struck if self.behind.height is None else [*struck, self.behind]

    async def _forwarded(self, body: bytes) -> web.Response:
        async with self._session.post(self.anvil.url, data=body, headers=_JSON) as response:
            return web.Response(status=response.status, body=await response.read(), content_type=response.content_type)

    async def _ask(self, call: Call) -> Reply:
        async with self._session.post(self.anvil.url, json=call.request) as response:
            reply: Reply = json.loads(await response.read())
            return reply

    async def _answer_pushed(self, request: dict[str, Any]) -> Reply | None:
        """Answer a call that came by WebSocket if a rule is about it; None if the node shall."""
        call = _parse(request)
        twists: list[Twist] = [fault for fault in self._faults_of(call) if not isinstance(fault, ExchangeFault)]
        if call.method in {"eth_subscribe", "eth_unsubscribe"}:
            twists = [twist for twist in twists if twist is not self.behind]
        return await chained(twists, self._ask)(call) if twists else None


@asynccontextmanager
async def open_fault_proxy(anvil: Anvil, *, name: str = "faulty", seed: int = 1) -> AsyncIterator[FaultProxy]:
    """A proxy on a free port of loopback; whoever it holds is let go at the end."""
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()))
        proxy = FaultProxy(anvil, session, name=name, seed=seed)
        app = web.Application(client_max_size=_BODY_MOST)
        app.router.add_route("*", "/{tail:.*}", proxy.handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        stack.push_async_callback(proxy.sockets.cut)
        stack.callback(proxy.heal)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        proxy.port = runner.addresses[0][1]
        yield proxy


_JSON = {"content-type": "application/json"}


def _calls_in(body: bytes) -> list[Call]:
    """Return the calls of a body, none of one that is no JSON-RPC."""
    try:
        asked = json.loads(body)
        return [_parse(one) for one in (asked if isinstance(asked, list) else [asked])]
    except (ValueError, TypeError, KeyError):
        return []


def _parse(asked: dict[str, Any]) -> Call:
    return Call(method=asked["method"], params=asked.get("params") or [], id=asked.get("id"))


def _bytes(answer: web.Response) -> bytes:
    assert isinstance(answer.body, bytes)
    return answer.body


def _break(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()  # nobody is there to read it


async def _cut_off(request: web.Request, answer: web.Response) -> web.StreamResponse:
    body = _bytes(answer)
    partly = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(body))})
    await partly.prepare(request)
    await partly.write(body[: len(body) // 2])
    _break(request)
    return partly
