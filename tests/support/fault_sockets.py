"""The WebSocket side of a faulty endpoint: subscriptions handed on, pushes left out, doubled, swapped or made up."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

import aiohttp
from aiohttp import WSMsgType, web
from tests.support.fault_node import Behind

Push: TypeAlias = dict[str, Any]
"""What a subscription tells: a header or a log."""
OnPush: TypeAlias = Callable[[str, Push], Sequence[Push]]
"""Gets the kind of subscription (`newHeads`, `logs`) and a push of the node; returns what the client hears."""


def faithful(kind: str, push: Push) -> Sequence[Push]:
    """Hand on."""
    return [push]


def silent(kind: str, push: Push) -> Sequence[Push]:
    """Stay connected, tell nothing."""
    return []


def twice(kind: str, push: Push) -> Sequence[Push]:
    """Tell everything twice."""
    return [push, push]


class Swapped:
    """Tells each second push before the first."""

    def __init__(self) -> None:
        self._kept: dict[str, Push] = {}

    def __call__(self, kind: str, push: Push) -> Sequence[Push]:
        if kind not in self._kept:
            self._kept[kind] = push
            return []
        return [push, self._kept.pop(kind)]


class Sockets:
    """All connections of one endpoint. Set `on_push` at any time."""

    def __init__(
        self,
        url: str,
        session: aiohttp.ClientSession,
        answer: Callable[[dict[str, Any]], Awaitable[dict[str, Any] | None]],
        behind: Behind,
    ) -> None:
        """Hand on to the node at `url` whatever `answer` leaves to it."""
        self.on_push: OnPush = faithful
        self.refused = False
        """Refuse new connections."""
        self.pushed = 0
        """Pushes of the node that came by, told or not."""
        self.subscribed = asyncio.Event()
        """Set while somebody listens."""
        self._url = url
        self._session = session
        self._answer = answer
        self._behind = behind
        self._open: list[_Line] = []
        self._logs: dict[tuple[str, str], Push] = {}

    def heal(self) -> None:
        self.on_push, self.refused = faithful, False

    async def serve(self, request: web.Request) -> web.StreamResponse:
        if self.refused:
            return web.Response(status=503)
        client = web.WebSocketResponse()
        await client.prepare(request)
        async with self._session.ws_connect(self._url, max_msg_size=0) as node:
            line = _Line(request, client, node)
            self._open.append(line)
            pump = asyncio.create_task(self._pump(line))
            try:
                async for message in client:
                    if message.type is WSMsgType.TEXT:
                        await self._from_client(line, message.data)
            finally:
                self._open.remove(line)
                self._note_listeners()
                pump.cancel()
        return client

    async def cut(self) -> None:
        """Break every connection, without a word."""
        for line in list(self._open):
            if line.request.transport is not None:
                line.request.transport.abort()

    async def push(self, kind: str, push: Push) -> None:
        """Tell everybody who subscribed to `kind`, whatever `on_push` says."""
        for line in list(self._open):
            for subscription, its_kind in list(line.subscriptions.items()):
                if its_kind == kind:
                    await line.tell(subscription, push)

    async def push_removed(self, block_hash: str) -> int:
        """Tell that the logs pushed from a block left the chain, which this node never does; return how many."""
        gone = [log for (at, _), log in self._logs.items() if at == block_hash]
        for log in gone:
            await self.push("logs", log | {"removed": True})
        return len(gone)

    async def _from_client(self, line: "_Line", text: str) -> None:
        asked = json.loads(text)
        if isinstance(asked, list):  # no rule is about these
            await line.node.send_str(text)
            return
        own = await self._answer(asked)
        if own is not None:
            await line.client.send_str(json.dumps(own))
            return
        if asked["method"] == "eth_subscribe":
            line.asked[asked["id"]] = asked["params"][0]
        await line.node.send_str(text)

    async def _pump(self, line: "_Line") -> None:
        async for message in line.node:
            if message.type is not WSMsgType.TEXT:
                break
            told = json.loads(message.data)
            if isinstance(told, list):
                await line.client.send_str(message.data)
                continue
            if told.get("method") == "eth_subscription":
                await self._from_node(line, told["params"], message.data)
                continue
            kind = line.asked.pop(told.get("id"), None)
            if kind is not None and "result" in told:
                line.subscriptions[told["result"]] = kind
            await line.client.send_str(message.data)
            self._note_listeners()

    async def _from_node(self, line: "_Line", params: dict[str, Any], text: str) -> None:
        kind, push = line.subscriptions[params["subscription"]], params["result"]
        self.pushed += 1
        if kind == "logs":
            self._logs[push["blockHash"], push["logIndex"]] = push
        heard = self.on_push(kind, push) if self._behind.knows(push) else []
        if list(heard) == [push]:
            await line.client.send_str(text)
            return
        for one in heard:
            await line.tell(params["subscription"], one)

    def _note_listeners(self) -> None:
        if any(line.subscriptions for line in self._open):
            self.subscribed.set()
        else:
            self.subscribed.clear()


class _Line:
    def __init__(
        self, request: web.Request, client: web.WebSocketResponse, node: aiohttp.ClientWebSocketResponse
    ) -> None:
        self.request = request
        self.client = client
        self.node = node
        self.asked: dict[object, str] = {}
        self.subscriptions: dict[str, str] = {}

    async def tell(self, subscription: str, push: Push) -> None:
        params = {"subscription": subscription, "result": push}
        await self.client.send_str(json.dumps({"jsonrpc": "2.0", "method": "eth_subscription", "params": params}))
