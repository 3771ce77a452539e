"""Which endpoint of several is asked: roles, figures, rests and budgets; and when a second one is asked beside it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from aiohttp import web
from tests.support.hand_clock import HandClock
from tests.support.scripted_node import ScriptedNode, open_scripted_node, wire_head

from bmn.core.errors import ChainError, ConfigError
from bmn.core.units import Address, BlockHash, BlockNumber, ChainId
from bmn.evm.breaker import INSIST_EVERY, REST_FIRST
from bmn.evm.budget import UNLIMITED, Budget
from bmn.evm.client import RpcChain, open_chain
from bmn.evm.preference import HEDGE_UNKNOWN
from bmn.evm.types import USUAL_ROLES, BlockTag, Endpoint, EndpointRole
from bmn.seams import SystemSpawner

SOMEBODY = Address(b"\x01" * 20)
BLOCK = BlockHash(b"\x05" * 32)
HEADS, LOGS, ARCHIVE, SEND = EndpointRole.HEADS, EndpointRole.LOGS, EndpointRole.ARCHIVE, EndpointRole.SEND


class Pool:
    """A chain over two scripted nodes, alpha and beta, which answer at once; the clock moves by hand."""

    def __init__(self, chain: RpcChain, alpha: ScriptedNode, beta: ScriptedNode, clock: HandClock) -> None:
        self.chain = chain
        self.alpha = alpha
        self.beta = beta
        self.clock = clock

    async def who_answers(self) -> str:
        balance = await self.chain.balance(SOMEBODY, BlockTag.HEAD)
        return {1: "alpha", 2: "beta"}[balance]

    async def until_asked(self, node: ScriptedNode, method: str, times: int = 1) -> None:
        async with asyncio.timeout(5):
            while node.asked(method) < times:
                await asyncio.sleep(0)


@asynccontextmanager
async def open_pool(
    *,
    roles: tuple[frozenset[EndpointRole], frozenset[EndpointRole]] = (USUAL_ROLES, USUAL_ROLES),
    budget: Budget = UNLIMITED,
    quorum: int = 1,
) -> AsyncIterator[Pool]:
    async with AsyncExitStack() as stack:
        alpha, beta = [await stack.enter_async_context(open_scripted_node()) for _ in range(2)]
        clock = HandClock()
        endpoints = [
            Endpoint(name="alpha", url=alpha.url, roles=roles[0], budget=budget),
            Endpoint(name="beta", url=beta.url, roles=roles[1]),
        ]
        chain = await stack.enter_async_context(
            open_chain(
                name="base",
                chain_id=ChainId(31337),
                endpoints=endpoints,
                quorum=quorum,
                clock=clock,
                spawner=SystemSpawner(await stack.enter_async_context(asyncio.TaskGroup())),
                answer_within=600.0,
            )
        )
        for node, balance in ((alpha, "0x1"), (beta, "0x2")):
            node.answers |= {"eth_getBalance": balance, "eth_getBlockByNumber": wire_head(100), "eth_getLogs": []}
            node.answers |= {"eth_sendRawTransaction": "0x" + "00" * 32}
        yield Pool(chain, alpha, beta, clock)


@asynccontextmanager
async def hanging(node: ScriptedNode) -> AsyncIterator[None]:
    over = asyncio.Event()

    async def hang() -> web.Response:
        await over.wait()
        return web.Response(status=503)

    node.http = hang
    try:
        yield
    finally:
        over.set()
        node.http = None


def limited(node: ScriptedNode, seconds: int) -> None:
    async def refuse() -> web.Response:
        node.requests.append(("refused", []))
        return web.Response(status=429, headers={"Retry-After": str(seconds)})

    node.http = refuse


def broken(node: ScriptedNode) -> None:
    async def page() -> web.Response:
        node.requests.append(("refused", []))
        return web.Response(status=502)

    node.http = page


# Roles.


async def test_each_question_goes_first_to_who_is_there_for_it() -> None:
    async with open_pool(roles=(frozenset({HEADS, SEND}), frozenset({LOGS, ARCHIVE}))) as pool:
        await pool.chain.block(BlockTag.HEAD)
        await pool.chain.logs(block_hash=BLOCK)
        assert (pool.alpha.asked("eth_getBlockByNumber"), pool.beta.asked("eth_getBlockByNumber")) == (1, 0)
        assert (pool.alpha.asked("eth_getLogs"), pool.beta.asked("eth_getLogs")) == (0, 1)
        broken(pool.beta)
        assert await pool.chain.logs(block_hash=BLOCK) == ()


async def test_old_state_is_asked_of_the_archive() -> None:
    async with open_pool(roles=(USUAL_ROLES, USUAL_ROLES | {ARCHIVE})) as pool:
        pool.alpha.answers["eth_getBlockByNumber"] = wire_head(1000)
        await pool.chain.block(BlockTag.HEAD)
        assert await pool.chain.balance(SOMEBODY, BlockNumber(1000 - 128)) == 1
        assert await pool.chain.balance(SOMEBODY, BlockNumber(1000 - 129)) == 2


async def test_an_endpoint_that_only_sends_answers_nothing_and_has_no_voice() -> None:
    async with open_pool(roles=(frozenset({SEND}), USUAL_ROLES)) as pool:
        assert await pool.chain.agree(lambda node: node.balance(SOMEBODY, BLOCK)) == 2
        broken(pool.beta)
        with pytest.raises(ChainError):
            await pool.who_answers()
        assert pool.alpha.requests == []


async def test_transactions_go_to_the_senders_alone() -> None:
    async with open_pool(roles=(frozenset({SEND}), frozenset({HEADS}))) as pool:
        with pytest.raises(ChainError):  # the scripted hash is of no transaction
            await pool.chain.send_raw(b"\x02signed")
        assert (pool.alpha.asked("eth_sendRawTransaction"), pool.beta.asked("eth_sendRawTransaction")) == (1, 0)


@pytest.mark.parametrize(
    ("roles", "quorum", "code"),
    [
        ((frozenset({SEND}), USUAL_ROLES), 2, "BAD_QUORUM"),
        ((frozenset({SEND}), frozenset({SEND})), 1, "BAD_QUORUM"),
        ((frozenset({HEADS}), frozenset({LOGS})), 2, "BAD_ENDPOINTS"),
    ],
)
async def test_a_chain_needs_enough_who_answer_and_one_who_sends(
    roles: tuple[frozenset[EndpointRole], frozenset[EndpointRole]], quorum: int, code: str
) -> None:
    with pytest.raises((ConfigError, ExceptionGroup)) as caught:
        async with open_pool(roles=roles, quorum=quorum):
            pass
    error = caught.value.exceptions[0] if isinstance(caught.value, ExceptionGroup) else caught.value
    assert isinstance(error, ConfigError)
    assert error.code == code


# Rests.


async def test_a_wish_to_wait_is_granted_while_another_can_answer() -> None:
    async with open_pool() as pool:
        limited(pool.alpha, 120)
        assert await pool.who_answers() == "beta"
        for _ in range(119):
            await pool.clock.advance(1.0)
            assert await pool.who_answers() == "beta"
        assert pool.alpha.asked("refused") == 1
        pool.alpha.http = None
        await pool.clock.advance(1.0)
        assert await pool.who_answers() == "alpha"


async def test_where_no_other_answers_one_that_asked_us_to_wait_gets_one_request_a_second() -> None:
    async with open_pool() as pool:
        limited(pool.alpha, 120)
        broken(pool.beta)
        with pytest.raises(ChainError):
            await pool.who_answers()
        for _ in range(5):
            await pool.clock.advance(INSIST_EVERY / 5)
            with pytest.raises(ChainError):
                await pool.who_answers()
        assert pool.alpha.asked("refused") == 2
        pool.alpha.http = None
        await pool.clock.advance(INSIST_EVERY)
        assert await pool.who_answers() == "alpha"
        assert await pool.who_answers() == "alpha", "an answer ends the rest"


async def test_a_wish_to_wait_holds_for_a_quorum_too_and_does_not_lower_it() -> None:
    async with open_pool(quorum=2) as pool:
        pool.beta.answers["eth_getBalance"] = "0x1"
        limited(pool.alpha, 120)
        for _ in range(3):
            with pytest.raises(ChainError) as caught:
                await pool.chain.agree(lambda node: node.balance(SOMEBODY, BLOCK))
            assert caught.value.code == "QUORUM_MISSING"
        assert pool.alpha.asked("refused") == 1


async def test_a_wish_to_wait_never_holds_up_a_send() -> None:
    async with open_pool() as pool:
        limited(pool.alpha, 120)
        await pool.who_answers()
        for _ in range(3):
            with pytest.raises(ChainError):
                await pool.chain.send_raw(b"\x02signed")
        assert pool.alpha.asked("refused") == 4


async def test_after_a_rest_one_request_tries_and_nobody_else_waits_for_it() -> None:
    async with open_pool() as pool:
        broken(pool.alpha)
        assert await pool.who_answers() == "beta"
        await pool.clock.advance(REST_FIRST)
        async with hanging(pool.alpha):
            trial = asyncio.create_task(pool.who_answers())
            await asyncio.sleep(0)
            assert [await pool.who_answers() for _ in range(3)] == ["beta"] * 3
            await pool.clock.advance(0.1)
            assert await trial == "beta", "the trial itself is hedged"


# Hedging.


async def test_a_slow_head_is_asked_of_a_second_endpoint_too_and_the_first_answer_wins() -> None:
    async with open_pool() as pool:
        await pool.chain.block(BlockTag.HEAD)
        async with hanging(pool.alpha):
            asking = asyncio.create_task(pool.chain.block(BlockTag.HEAD))
            await pool.clock.advance(HEDGE_UNKNOWN - 0.01)
            assert pool.beta.asked("eth_getBlockByNumber") == 0
            await pool.clock.advance(0.01)
            head = await asking
            assert head is not None
            assert head.number == 100


async def test_other_questions_are_not_asked_twice() -> None:
    async with open_pool() as pool:
        await pool.who_answers()
        async with hanging(pool.alpha):
            asking = asyncio.create_task(pool.who_answers())
            await pool.clock.advance(100.0)
            assert pool.beta.requests == []
            asking.cancel()


async def test_when_both_of_a_hedge_fail_the_failure_names_both() -> None:
    async with open_pool() as pool:
        over = asyncio.Event()

        async def late() -> web.Response:
            await over.wait()
            return web.Response(status=502)

        pool.alpha.http = late
        broken(pool.beta)
        asking = asyncio.create_task(pool.chain.block(BlockTag.HEAD))
        await pool.clock.advance(HEDGE_UNKNOWN)
        await pool.until_asked(pool.beta, "refused")
        over.set()
        with pytest.raises(ChainError) as caught:
            await asking
        assert "base/alpha" in caught.value.detail
        assert "base/beta" in caught.value.detail


# Figures and budgets.


async def test_an_endpoint_that_stands_still_is_left_when_all_are_asked() -> None:
    async with open_pool() as pool:
        await pool.chain.block(BlockTag.HEAD)
        assert pool.chain.leading == "alpha"
        pool.beta.answers["eth_getBlockByNumber"] = wire_head(105)
        assert (await pool.chain.highest_head()).number == 105
        head = await pool.chain.block(BlockTag.HEAD)
        assert head is not None
        assert head.number == 105
        assert pool.chain.leading == "beta"
        assert [(one.endpoint, one.head, one.lag) for one in pool.chain.reports()] == [
            ("alpha", 100, 5),
            ("beta", 105, 0),
        ]


async def test_one_that_lagged_long_ago_gets_another_chance() -> None:
    async with open_pool() as pool:
        pool.beta.answers["eth_getBlockByNumber"] = wire_head(101)
        await pool.chain.highest_head()
        assert await pool.who_answers() == "alpha", "one block apart are equals"
        pool.beta.answers["eth_getBlockByNumber"] = wire_head(105)
        await pool.chain.highest_head()
        assert await pool.who_answers() == "beta"
        await pool.clock.advance(600.0)
        assert await pool.who_answers() == "alpha"


async def test_past_its_calls_of_the_day_an_endpoint_is_asked_only_where_no_other_answers() -> None:
    async with open_pool(budget=Budget(per_day=3)) as pool:
        assert [await pool.who_answers() for _ in range(4)] == ["alpha", "alpha", "beta", "beta"]  # one asked the chain
        assert pool.chain.reports()[0].reason == "DAY_SPENT"
        broken(pool.beta)
        assert await pool.who_answers() == "alpha"


async def test_a_report_says_why_an_endpoint_rests_and_for_how_long() -> None:
    async with open_pool() as pool:
        limited(pool.alpha, 120)
        await pool.who_answers()
        await pool.clock.advance(20.0)
        alpha, beta = pool.chain.reports()
        assert (alpha.state, alpha.reason, alpha.rests_for, alpha.calls_hour) == ("open", "RPC_RATE_LIMITED", 100.0, 1)
        assert (beta.state, beta.reason, beta.rests_for, beta.calls_hour) == ("closed", "", 0.0, 2)
        assert "127.0.0.1" not in repr(alpha)
