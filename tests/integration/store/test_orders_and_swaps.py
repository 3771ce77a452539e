"""A hashlock is claimed once, a swap is decided by one at a time, and its history says what happened."""

import asyncio

import asyncpg
import pytest
from tests.support.api_values import DST, SRC
from tests.support.stored_swaps import an_order, put_swap
from tests.support.swap_values import A_SECRET

from bmn.core.errors import TransientError
from bmn.core.swap import Decision, State
from bmn.core.units import Hashlock, OrderHash, Secret, UnixTime
from bmn.pg.pool import Pool, connection, transaction
from bmn.store.evidence import load_evidence, save_evidence
from bmn.store.orders import load_order, load_order_by_hash, save_order
from bmn.store.swaps import (
    StoredSwap,
    count_swaps,
    create_swap,
    load_open_hashlocks,
    load_swap,
    load_swaps,
    load_swaps_in,
    save_decision,
)

FILLING = Decision(state=State.FILLING, actions=(), reason="FILL")
AWAIT = Decision(
    state=State.AWAIT_SECRET,
    actions=(),
    reason="AWAIT_SECRET",
    wake_src=UnixTime(11),
    wake_dst=UnixTime(12),
    reveal_until=UnixTime(13),
)
SETTLED = Decision(state=State.SETTLED, actions=(), reason="BOTH_FINAL")


async def swap_of(pool: Pool, hashlock: Hashlock) -> StoredSwap:
    async with connection(pool) as conn:
        swap = await load_swap(conn, hashlock)
    assert swap is not None
    return swap


async def decide_once(pool: Pool, swap: StoredSwap, decision: Decision) -> bool:
    async with transaction(pool) as conn:
        return await save_decision(conn, swap, decision, actor="test")


async def wakes(pool: Pool) -> tuple[object, ...]:
    async with connection(pool) as conn:
        rows = await conn.fetch("SELECT wake_src, wake_dst, reveal_until, terminal FROM swaps")
    return tuple(rows[0])


async def test_an_order_comes_back_as_it_was_submitted(store: Pool) -> None:
    signed, terms = an_order()
    async with connection(store) as conn:
        assert await save_order(conn, signed, terms)
        by_hashlock = await load_order(conn, terms.hashlock)
        by_hash = await load_order_by_hash(conn, terms.order_hash)
        assert await load_order(conn, Hashlock(bytes(32))) is None
        assert await load_order_by_hash(conn, OrderHash(bytes(32))) is None
    assert by_hashlock == by_hash
    assert by_hashlock is not None
    assert (by_hashlock.signed, by_hashlock.order_hash) == (signed, terms.order_hash)


async def test_a_hashlock_is_claimed_by_one_order_for_ever(store: Pool) -> None:
    first, second = an_order(1), an_order(2)
    assert first[1].order_hash != second[1].order_hash
    async with connection(store) as conn:
        assert await save_order(conn, *first)
        assert not await save_order(conn, *second)
        assert not await save_order(conn, *first)
        stored = await load_order(conn, A_SECRET.hashlock)
    assert stored is not None
    assert stored.order_hash == first[1].order_hash


async def test_an_accepted_order_and_its_swap_are_there_together_and_in_the_list_of_their_state(store: Pool) -> None:
    signed, terms = an_order()
    async with connection(store) as other, transaction(store) as conn:
        assert await save_order(conn, signed, terms)
        await create_swap(conn, terms.hashlock, SRC, DST, actor="test")
        assert await load_order(other, terms.hashlock) is None
        assert await load_swaps_in(other, State.ACCEPTED) == []
    async with connection(store) as conn:
        [swap] = await load_swaps_in(conn, State.ACCEPTED)
        order = await load_order(conn, swap.hashlock)
    assert order is not None
    assert (order.signed, order.order_hash, swap.order_hash) == (signed, terms.order_hash, terms.order_hash)


async def test_of_many_at_once_one_claims_the_hashlock(store: Pool) -> None:
    async def claim(number: int) -> bool:
        signed, terms = an_order(number)
        async with transaction(store) as conn:
            is_new = await save_order(conn, signed, terms)
            if is_new:
                await create_swap(conn, terms.hashlock, SRC, DST, actor="test")
            return is_new

    assert sum(await asyncio.gather(*(claim(number) for number in range(12)))) == 1
    async with connection(store) as conn:
        assert await conn.fetchval("SELECT count(*) FROM orders") == 1
        assert await conn.fetchval("SELECT count(*) FROM swaps") == 1


async def test_a_claim_that_is_rolled_back_leaves_the_hashlock_free(store: Pool) -> None:
    async def claim_and_fail() -> None:
        async with transaction(store) as conn:
            assert await save_order(conn, *an_order(1))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await claim_and_fail()
    async with connection(store) as conn:
        assert await save_order(conn, *an_order(2))


async def test_a_swap_needs_its_order(store: Pool) -> None:
    async with connection(store) as conn:
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await create_swap(conn, A_SECRET.hashlock, SRC, DST, actor="test")


async def test_a_decision_on_an_old_version_is_refused_and_leaves_nothing(store: Pool) -> None:
    terms = await put_swap(store)
    before = await swap_of(store, terms.hashlock)
    assert await decide_once(store, before, FILLING)
    with pytest.raises(TransientError, match="SWAP_CHANGED"):
        await decide_once(store, before, SETTLED)
    after = await swap_of(store, terms.hashlock)
    assert (after.state, after.version) == (State.FILLING, before.version + 1)


async def test_of_two_decisions_at_once_one_stands(store: Pool) -> None:
    terms = await put_swap(store)
    before = await swap_of(store, terms.hashlock)
    decisions = [FILLING, AWAIT, SETTLED] * 3
    outcomes = await asyncio.gather(
        *(decide_once(store, before, decision) for decision in decisions), return_exceptions=True
    )
    assert outcomes.count(True) == 1
    assert sum(isinstance(outcome, TransientError) for outcome in outcomes) == len(decisions) - 1
    async with connection(store) as conn:
        assert await conn.fetchval("SELECT max(version) FROM swap_events") == 2


async def test_the_same_decision_again_changes_no_version(store: Pool) -> None:
    terms = await put_swap(store)
    assert await decide_once(store, await swap_of(store, terms.hashlock), FILLING)
    once = await swap_of(store, terms.hashlock)
    assert not await decide_once(store, once, FILLING)
    assert await swap_of(store, terms.hashlock) == once


async def test_the_history_replays_to_the_state(store: Pool) -> None:
    terms = await put_swap(store)
    for decision in (FILLING, AWAIT, AWAIT, SETTLED):
        await decide_once(store, await swap_of(store, terms.hashlock), decision)
    async with connection(store) as conn:
        rows = await conn.fetch("SELECT version, before, after, reason FROM swap_events ORDER BY version")
    state, reason = None, None
    for number, row in enumerate(rows, start=1):
        assert (row["version"], row["before"]) == (number, state)
        state, reason = row["after"], row["reason"]
    swap = await swap_of(store, terms.hashlock)
    assert (state, reason, len(rows)) == (swap.state.value, swap.reason, swap.version)


async def test_times_to_wake_are_those_of_the_last_decision(store: Pool) -> None:
    terms = await put_swap(store)
    assert await wakes(store) == (None, None, None, False)
    await decide_once(store, await swap_of(store, terms.hashlock), AWAIT)
    assert await wakes(store) == (11, 12, 13, False)
    assert (await swap_of(store, terms.hashlock)).reveal_until == 13
    await decide_once(store, await swap_of(store, terms.hashlock), SETTLED)
    assert await wakes(store) == (None, None, None, True)


async def test_only_open_swaps_that_were_left_alone_are_looked_at_again(store: Pool) -> None:
    first = await put_swap(store, 1)
    second = await put_swap(store, 2, secret=Secret(b"\x02" * 32))
    done = await put_swap(store, 3, secret=Secret(b"\x03" * 32))
    await decide_once(store, await swap_of(store, done.hashlock), SETTLED)
    async with connection(store) as conn:
        assert await load_open_hashlocks(conn, 3600) == []
        assert await load_open_hashlocks(conn, 0) == [first.hashlock, second.hashlock]
        assert await load_open_hashlocks(conn, 0, limit=1) == [first.hashlock]
    await decide_once(store, await swap_of(store, first.hashlock), FILLING)
    async with connection(store) as conn:
        assert await load_open_hashlocks(conn, 0) == [second.hashlock, first.hashlock]


async def test_swaps_are_listed_by_state_newest_first(store: Pool) -> None:
    first = await put_swap(store, 1)
    second = await put_swap(store, 2, secret=Secret(b"\x02" * 32))
    await decide_once(store, await swap_of(store, first.hashlock), FILLING)
    async with connection(store) as conn:
        assert [swap.hashlock for swap in await load_swaps(conn)] == [second.hashlock, first.hashlock]
        assert [swap.hashlock for swap in await load_swaps_in(conn, State.FILLING)] == [first.hashlock]
        assert await count_swaps(conn) == {"ACCEPTED": 1, "FILLING": 1}


async def test_evidence_is_kept_in_order(store: Pool) -> None:
    terms = await put_swap(store)
    bodies: list[dict[str, str | int]] = [{"head_number": number, "escrow": "0x01"} for number in range(3)]
    async with connection(store) as conn:
        for body in bodies:
            await save_evidence(conn, terms.hashlock, body)
        assert await load_evidence(conn, terms.hashlock) == bodies
