"""A real little JSON-RPC node on loopback whose answers a test writes: plain values, functions, faults."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import WSMsgType, web


class NodeSays(Exception):
    """Answer a JSON-RPC error."""

    def __init__(self, code: int, message: str, data: object = None) -> None:
        super().__init__(message)
        self.error = {"code": code, "message": message} | ({} if data is None else {"data": data})


class ScriptedNode:
    """`answers` maps a method to its result or to a function of its parameters; anything else is unknown."""

    def __init__(self, chain_id: int) -> None:
        self.answers: dict[str, Any] = {"eth_chainId": hex(chain_id)}
        self.requests: list[tuple[str, list[Any]]] = []
        self.http: Callable[[], Awaitable[web.Response]] | None = None
        """Answers instead, whatever was asked."""
        self.refuse_batch: Callable[[int], web.Response | None] = lambda _size: None
        """Answers a batch of so many calls instead, or None."""
        self.batches_refused = 0
        self.subscribers: list[web.WebSocketResponse] = []
        self.subscribed = asyncio.Event()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v3/0123456789abcdef0123456789abcdef"

    @property
    def ws_url(self) -> str:
        return self.url.replace("http", "ws", 1)

    def asked(self, method: str) -> int:
        return sum(1 for name, _ in self.requests if name == method)

    async def push(self, head: dict[str, Any]) -> None:
        """Send a newHeads notification to every subscriber."""
        params = {"subscription": "0x1", "result": head}
        for socket in list(self.subscribers):
            await socket.send_json({"jsonrpc": "2.0", "method": "eth_subscription", "params": params})

    async def drop_subscribers(self) -> None:
        """Close every WebSocket."""
        self.subscribed.clear()
        sockets, self.subscribers = self.subscribers, []
        for socket in sockets:
            await socket.close()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._socket(request)
        if self.http is not None:
            return await self.http()
        asked = json.loads(await request.read())
        if isinstance(asked, list) and (refusal := self.refuse_batch(len(asked))) is not None:
            self.batches_refused += 1
            return refusal
        answer = [await self._answer(one) for one in asked] if isinstance(asked, list) else await self._answer(asked)
        return web.json_response(answer)

    async def _answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        method, params = asked["method"], asked["params"]
        self.requests.append((method, params))
        reply = {"jsonrpc": "2.0", "id": asked["id"]}
        try:
            if method not in self.answers:
                raise NodeSays(-32601, "the method does not exist")
            answer = self.answers[method]
            result = answer(*params) if callable(answer) else answer
            return reply | {"result": await result if asyncio.iscoroutine(result) else result}
        except NodeSays as refusal:
            return reply | {"error": refusal.error}

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if message.type is WSMsgType.TEXT and json.loads(message.data)["method"] == "eth_subscribe":
                await socket.send_json({"jsonrpc": "2.0", "id": 1, "result": "0x1"})
                self.subscribers.append(socket)
                self.subscribed.set()
        if socket in self.subscribers:
            self.subscribers.remove(socket)
        return socket


@asynccontextmanager
async def open_scripted_node(chain_id: int = 31337) -> AsyncIterator[ScriptedNode]:
    node = ScriptedNode(chain_id)
    app = web.Application(client_max_size=2**25)
    app.router.add_route("*", "/{tail:.*}", node.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        node.port = runner.addresses[0][1]
        yield node
    finally:
        await runner.cleanup()


def wire_head(number: int, *, fork: int = 0, timestamp: int | None = None) -> dict[str, Any]:
    """A header as a node writes it; `fork` changes its hash and its parent's."""
    return {
        "hash": f"0x{fork:02x}{number:062x}",
        "parentHash": f"0x{fork:02x}{max(number - 1, 0):062x}",
        "number": hex(number),
        "timestamp": hex(1_700_000_000 + number if timestamp is None else timestamp),
        "logsBloom": "0x" + "00" * 256,
        "transactionsRoot": "0x" + "11" * 32,
        "baseFeePerGas": "0x7",
    }
