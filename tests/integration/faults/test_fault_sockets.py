"""The WebSocket side: pushes as the node makes them, then silent, doubled, swapped, made up, cut."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from tests.support.fault_proxy import FaultProxy
from tests.support.fault_rules import Refuses
from tests.support.fault_sockets import Swapped, silent, twice

from bmn.devnet.anvil import Anvil
from bmn.evm.devkeys import DEV_ADDRESSES

EMITTER = "0x" + "e2" * 20


class Listener:
    """A subscriber."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def subscribe(self, kind: str, *more: object) -> dict[str, Any]:
        asked = {"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": [kind, *more]}
        await self.socket.send_str(json.dumps(asked))
        return await self.heard()

    async def heard(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(await self.socket.receive_str(timeout=10))
        return message

    async def pushed(self) -> Any:
        return (await self.heard())["params"]["result"]

    async def numbers(self, count: int) -> list[int]:
        return [int((await self.pushed())["number"], 16) for _ in range(count)]


@asynccontextmanager
async def listening(url: str, kind: str = "newHeads") -> AsyncIterator[Listener]:
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        listener = Listener(socket)
        assert "result" in await listener.subscribe(kind, *([{}] if kind == "logs" else []))
        yield listener


@pytest.fixture
async def heads(proxy: FaultProxy) -> AsyncIterator[Listener]:
    async with listening(str(proxy.endpoint.ws_url)) as listener:
        assert proxy.sockets.subscribed.is_set()
        yield listener


async def height(anvil: Anvil) -> int:
    return int(await anvil.rpc("eth_blockNumber"), 16)


async def test_heads_come_as_the_node_pushes_them(anvil: Anvil, heads: Listener) -> None:
    async with listening(anvil.ws_url) as direct:
        await anvil.mine()
        assert await heads.pushed() == await direct.pushed()


async def test_a_silent_socket_stays_open_and_tells_nothing(anvil: Anvil, proxy: FaultProxy, heads: Listener) -> None:
    first = await height(anvil) + 1
    proxy.sockets.on_push = silent
    await anvil.mine()
    async with asyncio.timeout(10):
        while proxy.sockets.pushed < 1:
            await asyncio.sleep(0.005)
    proxy.heal()
    await anvil.mine()
    assert await heads.numbers(1) == [first + 1]


async def test_heads_come_twice_or_in_the_wrong_order(anvil: Anvil, proxy: FaultProxy, heads: Listener) -> None:
    first = await height(anvil) + 1
    proxy.sockets.on_push = twice
    await anvil.mine()
    assert await heads.numbers(2) == [first, first]
    proxy.sockets.on_push = Swapped()
    await anvil.mine()
    await anvil.mine()
    assert await heads.numbers(2) == [first + 2, first + 1]


async def test_a_node_that_lags_pushes_no_later_heads(anvil: Anvil, proxy: FaultProxy, heads: Listener) -> None:
    first = await height(anvil) + 1
    proxy.behind.height = first
    await anvil.mine()
    await anvil.mine()
    async with asyncio.timeout(10):
        while proxy.sockets.pushed < 2:
            await asyncio.sleep(0.005)
    proxy.behind.height = None
    await anvil.mine()
    assert await heads.numbers(2) == [first, first + 2]


async def test_a_test_pushes_what_it_likes(proxy: FaultProxy, heads: Listener) -> None:
    await proxy.sockets.push("newHeads", {"number": "0x1", "made": "up"})
    assert await heads.pushed() == {"number": "0x1", "made": "up"}


async def test_logs_of_a_block_that_left_are_pushed_as_removed(anvil: Anvil, proxy: FaultProxy) -> None:
    await anvil.rpc("anvil_setCode", EMITTER, "0x60006000a000")
    async with listening(str(proxy.endpoint.ws_url), "logs") as logs:
        await anvil.rpc("eth_sendTransaction", {"from": str(DEV_ADDRESSES[6]), "to": EMITTER, "gas": "0x186a0"})
        log = await logs.pushed()
        assert log["removed"] is False
        await anvil.reorg(1)
        assert await proxy.sockets.push_removed(log["blockHash"]) == 1
        assert await logs.pushed() == log | {"removed": True}


async def test_a_cut_connection_ends_without_a_word_and_a_new_one_is_taken(
    proxy: FaultProxy, heads: Listener, anvil: Anvil
) -> None:
    await proxy.sockets.cut()
    message = await heads.socket.receive(timeout=10)
    assert message.type in {aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR, aiohttp.WSMsgType.CLOSING}
    async with listening(str(proxy.endpoint.ws_url)) as again:
        await anvil.mine()
        assert await again.numbers(1) == [await height(anvil)]


async def test_sockets_are_refused_or_only_their_subscriptions(proxy: FaultProxy) -> None:
    proxy.sockets.refused = True
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(str(proxy.endpoint.ws_url))
        proxy.heal()
        proxy.when("eth_subscribe", Refuses(-32601, "notifications not supported"))
        async with session.ws_connect(str(proxy.endpoint.ws_url)) as socket:
            assert "error" in await Listener(socket).subscribe("newHeads")
    assert not proxy.sockets.subscribed.is_set()


async def test_other_calls_are_answered_over_the_socket_too(proxy: FaultProxy, heads: Listener) -> None:
    await heads.socket.send_str('{"jsonrpc":"2.0","id":5,"method":"eth_chainId","params":[]}')
    assert await heads.heard() == {"jsonrpc": "2.0", "id": 5, "result": "0x7a69"}
    assert proxy.calls["eth_chainId"] == 1
    await heads.socket.send_str('[{"jsonrpc":"2.0","id":6,"method":"eth_chainId","params":[]}]')
    batch: object = await heads.heard()
    assert batch == [{"jsonrpc": "2.0", "id": 6, "result": "0x7a69"}]
