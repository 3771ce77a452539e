"""Several endpoints of one chain: failover for liveness, quorum for safety, broadcast to all."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from tests.support.hand_clock import HandClock
from tests.support.scripted_node import NodeSays, ScriptedNode, open_scripted_node, wire_head

from bmn.core.errors import ChainError, ConfigError
from bmn.core.hashing import keccak
from bmn.core.units import Address, BlockHash, BlockNumber, ChainId
from bmn.evm.breaker import REST_FIRST, REST_MOST
from bmn.evm.client import RpcChain, open_chain
from bmn.evm.failures import CallReverted
from bmn.evm.types import BlockTag, Endpoint, SendStatus
from bmn.seams import SystemSpawner

SOMEBODY = Address(b"\x01" * 20)
BLOCK = BlockHash(b"\x05" * 32)
RAW = b"\x02signed"
NAMES = ("alpha", "beta", "gamma", "delta")


class Pool:
    """A chain over scripted nodes; tests change the nodes."""

    def __init__(self, chain: RpcChain, nodes: list[ScriptedNode], clock: HandClock) -> None:
        self.chain = chain
        self.nodes = nodes
        self.clock = clock

    def all_answer(self, method: str, *answers: Any) -> None:
        for node, answer in zip(self.nodes, answers, strict=True):
            node.answers[method] = answer


@asynccontextmanager
async def open_pool(size: int, *, quorum: int, answer_within: float = 5.0) -> AsyncIterator[Pool]:
    async with AsyncExitStack() as stack:
        nodes = [await stack.enter_async_context(open_scripted_node()) for _ in range(size)]
        clock = HandClock()
        endpoints = [Endpoint(name=name, url=node.url) for name, node in zip(NAMES, nodes, strict=False)]
        async with (
            open_chain(
                name="base",
                chain_id=ChainId(31337),
                endpoints=endpoints,
                quorum=quorum,
                clock=clock,
                spawner=SystemSpawner(await stack.enter_async_context(asyncio.TaskGroup())),
                answer_within=answer_within,
            ) as chain,
        ):
            yield Pool(chain, nodes, clock)


@asynccontextmanager
async def hanging(*nodes: ScriptedNode) -> AsyncIterator[None]:
    """The nodes take requests and never answer, for the length of the block."""
    over = asyncio.Event()

    async def hang() -> web.Response:
        await over.wait()
        return web.Response(status=503)

    for node in nodes:
        node.http = hang
    try:
        yield
    finally:
        over.set()
        for node in nodes:
            node.http = None


def broken(node: ScriptedNode) -> None:
    async def page() -> web.Response:
        return web.Response(status=502, text="busy")

    node.http = page


def says(code: int, message: str, data: object = None) -> Callable[..., str]:
    def refuse(*_params: object) -> str:
        raise NodeSays(code, message, data)

    return refuse


# Liveness: the first usable answer.


async def test_the_first_endpoint_answers_and_the_others_are_not_asked() -> None:
    async with open_pool(2, quorum=1) as pool:
        pool.all_answer("eth_getBalance", "0x1", "0x2")
        assert await pool.chain.balance(SOMEBODY, BlockTag.HEAD) == 1
        assert pool.nodes[1].requests == []


async def test_a_broken_endpoint_is_passed_over_and_rests() -> None:
    async with open_pool(2, quorum=1) as pool:
        pool.all_answer("eth_getBalance", "0x1", "0x2")
        broken(pool.nodes[0])
        assert await pool.chain.balance(SOMEBODY, BlockTag.HEAD) == 2
        pool.nodes[0].http = None
        await pool.clock.advance(REST_FIRST - 0.1)
        assert await pool.chain.balance(SOMEBODY, BlockTag.HEAD) == 2
        await pool.clock.advance(0.1)
        assert await pool.chain.balance(SOMEBODY, BlockTag.HEAD) == 1


async def test_rests_double_up_to_a_limit_and_end_with_the_first_answer() -> None:
    async with open_pool(2, quorum=1) as pool:
        pool.all_answer("eth_getBalance", "0x1", "0x2")
        rest = REST_FIRST
        for _ in range(9):
            broken(pool.nodes[0])
            assert await pool.chain.balance(SOMEBODY, BlockTag.HEAD) == 2
            pool.nodes[0].http = None
            await pool.clock.advance(rest - 0.1)
            assert await pool.chain.balance(SOMEBODY, BlockTag.HEAD) == 2
            await pool.clock.advance(0.1)
            rest = min(2 * rest, REST_MOST)
        assert rest == REST_MOST
        assert await pool.chain.balance(SOMEBODY, BlockTag.HEAD) == 1
        broken(pool.nodes[0])
        assert await pool.chain.balance(SOMEBODY, BlockTag.HEAD) == 2
        pool.nodes[0].http = None
        await pool.clock.advance(REST_FIRST)
        assert await pool.chain.balance(SOMEBODY, BlockTag.HEAD) == 1


async def test_an_endpoint_that_limits_us_rests_as_long_as_it_asks() -> None:
    async with open_pool(2, quorum=1) as pool:
        pool.all_answer("eth_getBalance", "0x1", "0x2")

        async def limited() -> web.Response:
            return web.Response(status=429, headers={"Retry-After": "120"})

        pool.nodes[0].http = limited
        assert await pool.chain.balance(SOMEBODY, BlockTag.HEAD) == 2
        pool.nodes[0].http = None
        await pool.clock.advance(119)
        assert await pool.chain.balance(SOMEBODY, BlockTag.HEAD) == 2
        await pool.clock.advance(1)
        assert await pool.chain.balance(SOMEBODY, BlockTag.HEAD) == 1


async def test_when_all_rest_all_are_asked_all_the_same() -> None:
    async with open_pool(2, quorum=1) as pool:
        pool.all_answer("eth_getBalance", "0x1", "0x2")
        for node in pool.nodes:
            broken(node)
        with pytest.raises(ChainError) as caught:
            await pool.chain.balance(SOMEBODY, BlockTag.HEAD)
        assert caught.value.code == "RPC_UNREACHABLE"
        assert "base/alpha" in caught.value.detail
        assert "base/beta" in caught.value.detail
        pool.nodes[1].http = None
        assert await pool.chain.balance(SOMEBODY, BlockTag.HEAD) == 2


async def test_a_node_without_the_state_is_passed_over_but_does_not_rest() -> None:
    async with open_pool(2, quorum=1) as pool:
        pool.all_answer("eth_getBalance", says(-32000, "missing trie node"), "0x2")
        assert await pool.chain.balance(SOMEBODY, BLOCK) == 2
        pool.nodes[0].answers["eth_getBalance"] = "0x1"
        assert await pool.chain.balance(SOMEBODY, BLOCK) == 1


async def test_a_refusal_of_the_contract_is_an_answer() -> None:
    async with open_pool(2, quorum=1) as pool:
        pool.all_answer("eth_call", says(3, "execution reverted", "0x01"), "0x02")
        with pytest.raises(CallReverted):
            await pool.chain.call(SOMEBODY, b"", BlockTag.HEAD)


async def test_an_endpoint_of_another_chain_is_passed_over() -> None:
    async with open_pool(2, quorum=1) as pool:
        pool.nodes[0].answers["eth_chainId"] = "0x1"
        pool.all_answer("eth_getBalance", "0x1", "0x2")
        assert await pool.chain.balance(SOMEBODY, BlockTag.HEAD) == 2


async def test_a_block_by_hash_is_missing_only_if_all_lack_it() -> None:
    async with open_pool(2, quorum=1) as pool:
        head = wire_head(8)
        pool.all_answer("eth_getBlockByHash", None, head)
        found = await pool.chain.block(BlockHash.from_hex(head["hash"]))
        assert found is not None
        assert found.number == 8
        pool.all_answer("eth_getBlockByHash", None, None)
        assert await pool.chain.block(BlockHash.from_hex(head["hash"])) is None
        broken(pool.nodes[0])
        assert await pool.chain.block(BlockHash.from_hex(head["hash"])) is None


async def test_logs_come_from_an_endpoint_that_has_the_last_block() -> None:
    async with open_pool(2, quorum=1) as pool:
        pool.all_answer("eth_getBlockByNumber", None, wire_head(9))
        pool.all_answer("eth_getLogs", [], [])
        assert await pool.chain.logs_range(BlockNumber(1), BlockNumber(9)) == ()
        assert (pool.nodes[0].asked("eth_getLogs"), pool.nodes[1].asked("eth_getLogs")) == (0, 1)


async def test_a_range_too_wide_for_one_is_left_to_the_next_and_named_if_all_fail() -> None:
    async with open_pool(2, quorum=1) as pool:
        pool.all_answer("eth_getBlockByNumber", wire_head(9), wire_head(9))
        pool.all_answer("eth_getLogs", says(-32005, "query returned more than 10000 results"), [])
        assert await pool.chain.logs_range(BlockNumber(1), BlockNumber(9)) == ()
        broken(pool.nodes[1])
        with pytest.raises(ChainError) as caught:
            await pool.chain.logs_range(BlockNumber(1), BlockNumber(9))
        assert caught.value.code == "RANGE_TOO_WIDE"


# Safety: a quorum of equal answers.


async def balance_agreed(pool: Pool) -> int:
    return await pool.chain.agree(lambda node: node.balance(SOMEBODY, BLOCK))


async def test_a_liar_is_outvoted() -> None:
    for place in range(3):
        async with open_pool(3, quorum=2) as pool:
            pool.all_answer("eth_getBalance", *["0x666" if liar == place else "0x1" for liar in range(3)])
            assert await balance_agreed(pool) == 1


async def test_a_disagreement_of_two_names_both() -> None:
    async with open_pool(2, quorum=2) as pool:
        pool.all_answer("eth_getBalance", "0x1", "0x666")
        with pytest.raises(ChainError) as caught:
            await balance_agreed(pool)
        assert caught.value.code == "QUORUM_MISSING"
        assert "alpha" in caught.value.detail
        assert "beta" in caught.value.detail


async def test_failures_never_lower_the_quorum() -> None:
    async with open_pool(3, quorum=2) as pool:
        pool.all_answer("eth_getBalance", "0x666", "0x1", "0x1")
        broken(pool.nodes[1])
        broken(pool.nodes[2])
        for _ in range(3):  # however long they have been away
            with pytest.raises(ChainError) as caught:
                await balance_agreed(pool)
            assert caught.value.code == "QUORUM_MISSING"
            assert "beta failed with RPC_UNREACHABLE" in caught.value.detail
            await pool.clock.advance(3600)
        pool.nodes[2].http = None
        with pytest.raises(ChainError):
            await balance_agreed(pool)
        pool.nodes[1].http = None
        assert await balance_agreed(pool) == 1


async def test_a_hanging_endpoint_does_not_hold_up_a_quorum() -> None:
    async with open_pool(3, quorum=2, answer_within=600.0) as pool, hanging(pool.nodes[0]):
        pool.all_answer("eth_getBalance", "0x1", "0x1", "0x1")
        async with asyncio.timeout(5):
            assert await balance_agreed(pool) == 1


async def test_the_same_refusal_everywhere_is_agreed() -> None:
    async with open_pool(2, quorum=2) as pool:
        refusal = says(3, "execution reverted", "0x01")
        pool.all_answer("eth_call", refusal, refusal)
        with pytest.raises(CallReverted) as caught:
            await pool.chain.agree(lambda node: node.call(SOMEBODY, b"", BLOCK))
        assert caught.value.data == b"\x01"


@pytest.mark.parametrize(
    ("names", "quorum", "code"),
    [
        (["a"], 2, "BAD_QUORUM"),
        (["a"], 0, "BAD_QUORUM"),
        ([], 1, "BAD_QUORUM"),
        (["a", "a"], 1, "BAD_ENDPOINTS"),
        (["a"], 1, None),
        (["a", "b"], 2, None),
    ],
)
async def test_a_quorum_needs_as_many_different_endpoints(names: list[str], quorum: int, code: str | None) -> None:
    async with asyncio.TaskGroup() as group:
        opening = open_chain(
            name="base",
            chain_id=ChainId(1),
            endpoints=[Endpoint(name=name, url="http://127.0.0.1:9") for name in names],
            quorum=quorum,
            clock=HandClock(),
            spawner=SystemSpawner(group),
        )
        if code is None:
            async with opening as chain:
                assert chain.name == "base"
        else:
            with pytest.raises(ConfigError) as caught:
                await opening.__aenter__()
            assert caught.value.code == code


def test_an_endpoint_does_not_print_its_urls() -> None:
    assert "key" not in repr(Endpoint(name="a", url="https://x/key", ws_url="wss://x/key"))


# Time: the earliest and the latest head anybody reports.


async def test_clock_bounds_are_those_of_all_who_answer() -> None:
    async with open_pool(3, quorum=2) as pool:
        pool.all_answer("eth_getBlockByNumber", *[wire_head(9, timestamp=at) for at in (1000, 1012, 990)])
        bounds = await pool.chain.clock_bounds()
        assert (bounds.earliest, bounds.latest) == (990, 1012)
        broken(pool.nodes[2])
        bounds = await pool.chain.clock_bounds()
        assert (bounds.earliest, bounds.latest) == (1000, 1012)
        for node in pool.nodes:
            broken(node)
        with pytest.raises(ChainError):
            await pool.chain.clock_bounds()


# Broadcast: to all, first acceptance wins.

HASH = "0x" + keccak(RAW).hex()


async def test_bytes_go_to_every_endpoint_even_after_the_first_acceptance() -> None:
    async with open_pool(3, quorum=1) as pool:
        pool.all_answer("eth_sendRawTransaction", HASH, HASH, HASH)
        assert (await pool.chain.send_raw(RAW)).status is SendStatus.ACCEPTED
        async with asyncio.timeout(5):
            while any(node.asked("eth_sendRawTransaction") == 0 for node in pool.nodes):
                await asyncio.sleep(0)


async def test_a_hanging_endpoint_does_not_hold_up_an_acceptance() -> None:
    async with open_pool(2, quorum=1, answer_within=600.0) as pool, hanging(pool.nodes[0]):
        pool.all_answer("eth_sendRawTransaction", HASH, HASH)
        async with asyncio.timeout(5):
            assert (await pool.chain.send_raw(RAW)).status is SendStatus.ACCEPTED


async def test_closing_waits_for_endpoints_that_still_get_the_bytes() -> None:
    async with open_pool(2, quorum=1) as pool:
        arrived = asyncio.Event()

        async def slow(_raw: str) -> str:
            await arrived.wait()
            return HASH

        pool.all_answer("eth_sendRawTransaction", slow, HASH)
        assert (await pool.chain.send_raw(RAW)).status is SendStatus.ACCEPTED
        arrived.set()
    assert [node.asked("eth_sendRawTransaction") for node in pool.nodes] == [1, 1]


async def test_acceptance_anywhere_beats_refusals_and_failures() -> None:
    async with open_pool(3, quorum=1) as pool:
        pool.all_answer("eth_sendRawTransaction", says(-32000, "nonce too low"), "0x", HASH)
        broken(pool.nodes[1])
        assert (await pool.chain.send_raw(RAW)).status is SendStatus.ACCEPTED


async def test_without_acceptance_the_answer_that_says_most_counts() -> None:
    async with open_pool(3, quorum=1) as pool:
        pool.all_answer(
            "eth_sendRawTransaction", says(-32000, "boo"), says(-32000, "nonce too low"), says(-32000, "already known")
        )
        assert (await pool.chain.send_raw(RAW)).status is SendStatus.ALREADY_KNOWN
        pool.nodes[2].answers["eth_sendRawTransaction"] = says(-32000, "insufficient funds")
        outcome = await pool.chain.send_raw(RAW)
        assert (outcome.status, outcome.detail) == (SendStatus.NONCE_TOO_LOW, "base/beta: nonce too low")


async def test_when_nobody_answers_a_send_its_fate_is_unknown() -> None:
    async with open_pool(2, quorum=1) as pool:
        for node in pool.nodes:
            broken(node)
        with pytest.raises(ChainError) as caught:
            await pool.chain.send_raw(RAW)
        assert caught.value.code == "RPC_UNREACHABLE"
