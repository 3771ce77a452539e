"""Following heads over real WebSockets: anvil's, and a scripted node's that fails on purpose."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager

import pytest
from tests.support.scripted_node import ScriptedNode, open_scripted_node, wire_head

from bmn.core.units import ChainId
from bmn.devnet.anvil import Anvil
from bmn.evm.client import RpcChain, open_chain
from bmn.evm.heads import follow_heads
from bmn.evm.types import BlockTag, Endpoint, Head
from bmn.seams import SystemClock, SystemSpawner


@asynccontextmanager
async def following(
    endpoints: Sequence[Endpoint], *, block_time: float, push: bool = True
) -> AsyncIterator[tuple[AsyncIterator[Head], RpcChain]]:
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        spawner = SystemSpawner(await stack.enter_async_context(asyncio.TaskGroup()))
        chain = await stack.enter_async_context(
            open_chain(
                name="local", chain_id=ChainId(31337), endpoints=endpoints, quorum=1, clock=clock, spawner=spawner
            )
        )
        heads = follow_heads(
            chain,
            name="local",
            block_time=block_time,
            sockets=endpoints if push else [],
            clock=clock,
            spawner=spawner,
        )
        await stack.enter_async_context(aclosing(heads))
        yield heads, chain


async def following_head(heads: AsyncIterator[Head]) -> Head:
    async with asyncio.timeout(10):
        return await anext(heads)


def at(node: ScriptedNode, name: str = "alpha") -> Endpoint:
    return Endpoint(name=name, url=node.url, ws_url=node.ws_url)


async def test_each_block_of_a_real_chain_is_pushed_and_links_to_the_last(anvil: Anvil) -> None:
    async with following([anvil.endpoint], block_time=60.0) as (heads, chain):
        last = await joined(anvil, heads, chain)
        for _ in range(5):
            await anvil.mine()
            head = await following_head(heads)
            assert head.parent_hash == last.hash
            assert await chain.block(head.hash) == head
            last = head


async def test_a_reorg_shows_as_other_blocks_whose_parents_lead_back(anvil: Anvil) -> None:
    async with following([anvil.endpoint], block_time=60.0) as (heads, chain):
        fork = await joined(anvil, heads, chain)
        await anvil.mine(3)
        replaced = [await following_head(heads) for _ in range(3)]
        await anvil.reorg(3)
        others = [await following_head(heads) for _ in range(3)]
        assert [head.number for head in others] == [head.number for head in replaced]
        assert {head.hash for head in others}.isdisjoint(head.hash for head in replaced)
        assert [head.parent_hash for head in others] == [fork.hash, others[0].hash, others[1].hash]


async def test_polling_alone_follows_a_real_chain(anvil: Anvil) -> None:
    async with following([anvil.endpoint], block_time=0.1, push=False) as (heads, _):
        last = await following_head(heads)
        for _ in range(3):
            await anvil.mine()
            head = await following_head(heads)
            assert head.number == last.number + 1
            last = head


@pytest.fixture
async def node() -> AsyncIterator[ScriptedNode]:
    async with open_scripted_node() as server:
        server.answers["eth_getBlockByNumber"] = wire_head(100)
        yield server


async def test_a_silent_socket_is_replaced_by_polling_and_then_reopened(node: ScriptedNode) -> None:
    async with following([at(node)], block_time=0.05) as (heads, _):
        assert (await following_head(heads)).number == 100
        await subscription(node)
        node.subscribed.clear()
        node.answers["eth_getBlockByNumber"] = wire_head(101)  # the chain goes on, the socket says nothing
        assert (await following_head(heads)).number == 101
        await subscription(node)
        await node.push(wire_head(102))
        assert (await following_head(heads)).number == 102


async def test_an_idle_chain_keeps_its_socket_and_is_hardly_asked(node: ScriptedNode) -> None:
    async with following([at(node)], block_time=0.02) as (heads, _):
        assert (await following_head(heads)).number == 100
        await subscription(node)
        async with asyncio.timeout(10):
            while node.asked("eth_getBlockByNumber") < 8:  # many stalls later
                await node_asked_again(node)
        assert len(node.subscribers) == 1
        await node.push(wire_head(101))
        assert (await following_head(heads)).number == 101


async def test_a_dropped_socket_is_opened_again(node: ScriptedNode) -> None:
    async with following([at(node)], block_time=60.0) as (heads, _):
        await following_head(heads)
        for number in (101, 102):
            await subscription(node)
            await node.push(wire_head(number))
            assert (await following_head(heads)).number == number
            await node.drop_subscribers()


async def test_of_two_sockets_the_first_wins_and_the_other_adds_nothing(node: ScriptedNode) -> None:
    async with open_scripted_node() as other, following([at(node), at(other, "beta")], block_time=60.0) as (heads, _):
        await following_head(heads)
        await subscription(node)
        await subscription(other)
        await node.push(wire_head(101))
        await other.push(wire_head(101))
        await other.push(wire_head(102))
        await node.push(wire_head(102))
        await node.push(wire_head(102, fork=1))
        found = [await following_head(heads) for _ in range(3)]
        assert [(head.number, head.hash[0]) for head in found] == [(101, 0), (102, 0), (102, 1)]


async def test_rubbish_from_a_socket_costs_the_connection_not_the_follower(node: ScriptedNode) -> None:
    async with following([at(node)], block_time=60.0) as (heads, _):
        await following_head(heads)
        for number, rubbish in enumerate(({"number": "x"}, wire_head(1) | {"hash": "0x12"}), start=101):
            await subscription(node)
            node.subscribed.clear()
            await node.push(rubbish)
            await subscription(node)
            await node.push(wire_head(number))
            assert (await following_head(heads)).number == number


async def test_an_endpoint_that_stands_still_is_left_without_a_restart(node: ScriptedNode) -> None:
    async with open_scripted_node() as other:
        other.answers["eth_getBlockByNumber"] = wire_head(103)
        endpoints = [at(node), at(other, "beta")]
        async with following(endpoints, block_time=0.05, push=False) as (heads, chain):
            assert (await following_head(heads)).number == 100
            assert (await following_head(heads)).number == 103
            other.answers["eth_getBlockByNumber"] = wire_head(104)
            assert (await following_head(heads)).number == 104
            assert chain.leading == "beta"


async def test_heads_come_by_polling_where_no_socket_opens(node: ScriptedNode) -> None:
    deaf = Endpoint(name="alpha", url=node.url, ws_url="ws://127.0.0.1:9")
    async with following([deaf], block_time=0.05) as (heads, _):
        await following_head(heads)
        node.answers["eth_getBlockByNumber"] = wire_head(101)
        assert (await following_head(heads)).number == 101


async def subscription(node: ScriptedNode) -> None:
    async with asyncio.timeout(10):
        await node.subscribed.wait()


async def node_asked_again(node: ScriptedNode) -> None:
    before = node.asked("eth_getBlockByNumber")
    while node.asked("eth_getBlockByNumber") == before:
        await asyncio.sleep(0)


async def joined(anvil: Anvil, heads: AsyncIterator[Head], chain: RpcChain) -> Head:
    """Mine until a head is pushed, which proves that the subscription is open; return the chain's head, read."""
    await following_head(heads)
    waiting = asyncio.ensure_future(following_head(heads))
    while not waiting.done():
        await anvil.mine()
        await asyncio.wait([waiting], timeout=0.05)
    head = await waiting
    newest = await chain.block(BlockTag.HEAD)
    assert newest is not None
    while head.hash != newest.hash:
        head = await following_head(heads)
    return head
