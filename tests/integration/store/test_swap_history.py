"""Every change of a swap is a version with who and why; the database itself keeps the history whole."""

import asyncio
import random
from itertools import product

import asyncpg
import pytest
from tests.support.api_values import DST, SRC
from tests.support.stored_swaps import an_order, put_swap

from bmn.core.errors import InvariantViolation, TransientError
from bmn.core.moves import may_follow
from bmn.core.swap import Decision, State
from bmn.core.units import Hashlock, UnixTime
from bmn.pg.pool import Pool, connection, transaction
from bmn.store.history import check_history, load_history, replay
from bmn.store.orders import save_order
from bmn.store.swaps import StoredSwap, load_swap, save_decision

ADD = "INSERT INTO swap_events (hashlock, version, before, after, reason, actor) SELECT hashlock,"


def a_decision(state: State, reason: str = "TEST", wake: int | None = None) -> Decision:
    return Decision(state=state, actions=(), reason=reason, wake_src=None if wake is None else UnixTime(wake))


async def swap_of(pool: Pool, hashlock: Hashlock) -> StoredSwap:
    async with connection(pool) as conn:
        swap = await load_swap(conn, hashlock)
    assert swap is not None
    return swap


async def decide_once(pool: Pool, hashlock: Hashlock, decision: Decision, actor: str = "test") -> bool:
    swap = await swap_of(pool, hashlock)
    async with transaction(pool) as conn:
        return await save_decision(conn, swap, decision, actor=actor)


async def decide_until_it_stands(pool: Pool, hashlock: Hashlock, decision: Decision, actor: str) -> bool:
    """As a worker does: a decision on an old version is thrown away and made again."""
    while True:
        try:
            return await decide_once(pool, hashlock, decision, actor)
        except TransientError as error:
            assert error.code == "SWAP_CHANGED"  # noqa: PT017 - the loop goes on


async def refuses(pool: Pool, statement: str, *values: object) -> bool:
    """Whether the database refuses a statement, or its commit, as against a law."""
    try:
        async with transaction(pool) as conn:
            await conn.execute(statement, *values)
    except asyncpg.IntegrityConstraintViolationError:
        return True
    return False


async def test_every_change_has_version_actor_and_reason(store: Pool) -> None:
    terms = await put_swap(store)
    await decide_once(store, terms.hashlock, a_decision(State.FILLING, "FILL"), "resolver")
    await decide_once(store, terms.hashlock, a_decision(State.FILLING, "FILL", wake=7), "resolver")
    await decide_once(store, terms.hashlock, a_decision(State.FILLING, "FILL_SENT"), "another")
    async with connection(store) as conn:
        events = await load_history(conn, terms.hashlock)
    assert [(event.version, event.before, event.after, event.reason, event.actor) for event in events] == [
        (1, None, State.ACCEPTED, "ORDER_ACCEPTED", "test"),
        (2, State.ACCEPTED, State.FILLING, "FILL", "resolver"),
        (3, State.FILLING, State.FILLING, "FILL_SENT", "another"),
    ]
    assert [event.at for event in events] == sorted(event.at for event in events)


async def test_the_loser_of_concurrent_writers_sees_it_and_retries_and_the_history_replays(store: Pool) -> None:
    terms, draw = await put_swap(store), random.Random(4)
    states = [State.FILLING, State.SRC_LIVE, State.LOCKING, State.DST_LIVE, State.ABORT, State.UNWIND]
    plans = [[a_decision(draw.choice(states), draw.choice("AB")) for _ in range(12)] for _ in range(6)]

    async def write(number: int) -> int:
        changes = [
            await decide_until_it_stands(store, terms.hashlock, decision, f"writer {number}")
            for decision in plans[number]
        ]
        return sum(changes)

    changed = await asyncio.gather(*(write(number) for number in range(len(plans))))
    swap = await swap_of(store, terms.hashlock)
    async with connection(store) as conn:
        events = await load_history(conn, terms.hashlock)
        assert await check_history(conn) == []
    standing = replay(events)
    assert (standing.state, standing.reason, standing.version) == (swap.state, swap.reason, swap.version)
    assert swap.version == 1 + sum(changed) == len(events)


async def test_an_illegal_move_is_refused_before_it_is_written(store: Pool) -> None:
    terms = await put_swap(store)
    await decide_once(store, terms.hashlock, a_decision(State.SETTLED))
    with pytest.raises(InvariantViolation, match="ILLEGAL_MOVE"):
        await decide_once(store, terms.hashlock, a_decision(State.AWAIT_SECRET))
    # A reorganisation deeper than we thought possible may undo even what was final.
    assert await decide_once(store, terms.hashlock, a_decision(State.CLAIMED))


async def test_the_database_refuses_the_moves_that_the_code_refuses(store: Pool) -> None:
    signed, terms = an_order()
    async with connection(store) as conn:
        await save_order(conn, signed, terms)
        for before, after in product(State, State):
            block = conn.transaction()
            await block.start()
            await conn.execute(
                """
                INSERT INTO swaps (hashlock, src_chain, dst_chain, state, reason, version, terminal)
                VALUES ($1, $2, $3, $4, 'ONE', 1, false)
                """,
                terms.hashlock,
                SRC,
                DST,
                before.value,
            )
            try:
                await conn.execute("UPDATE swaps SET state = $1, reason = 'TWO', version = 2", after.value)
                allowed = True
            except asyncpg.CheckViolationError:
                allowed = False
            await block.rollback()
            assert allowed is may_follow(before, after), (before, after)


BENT = (
    "UPDATE swaps SET version = version + 2, state = 'LOCKING'",
    "UPDATE swaps SET version = version - 1, state = 'LOCKING'",
    "UPDATE swaps SET version = version + 1",
    "UPDATE swaps SET state = 'LOCKING'",
    "UPDATE swaps SET reason = 'OTHER'",
    "UPDATE swaps SET version = version + 1, state = 'LOCKING'",  # without its event
    "UPDATE swap_events SET actor = 'nobody'",
    "DELETE FROM swap_events",
    "DELETE FROM swap_events WHERE version = 2",
    "TRUNCATE swap_events, swaps",
    f"{ADD} 4, 'FILLING', 'LOSS', 'R', 'A' FROM swaps",
    f"{ADD} 3, 'LOCKING', 'LOSS', 'R', 'A' FROM swaps",
    f"{ADD} 3, NULL, 'LOSS', 'R', 'A' FROM swaps",
    f"{ADD} 3, 'FILLING', 'LOSS', '', 'A' FROM swaps",
    f"{ADD} 3, 'FILLING', 'LOSS', 'R', '' FROM swaps",
)


async def test_the_database_refuses_to_bend_history(store: Pool) -> None:
    terms = await put_swap(store)
    await decide_once(store, terms.hashlock, a_decision(State.FILLING))
    for statement in BENT:
        assert await refuses(store, statement), statement
    async with connection(store) as conn:
        assert replay(await load_history(conn, terms.hashlock)).version == 2


async def test_a_row_changed_behind_the_histories_back_is_found(store: Pool) -> None:
    first = await put_swap(store)
    await decide_once(store, first.hashlock, a_decision(State.FILLING))
    async with connection(store) as conn:
        assert await check_history(conn) == []
        await conn.execute("ALTER TABLE swaps DISABLE TRIGGER check_swap_move")
        await conn.execute("UPDATE swaps SET state = 'SETTLED'")
        [broken] = await check_history(conn)
    assert broken.hashlock == first.hashlock
    assert "SETTLED at version 2" in broken.detail


async def test_a_missing_event_is_found(store: Pool) -> None:
    terms = await put_swap(store)
    for state in (State.FILLING, State.SRC_LIVE):
        await decide_once(store, terms.hashlock, a_decision(state))
    async with connection(store) as conn:
        await conn.execute("ALTER TABLE swap_events DISABLE TRIGGER swap_events_stay")
        await conn.execute("DELETE FROM swap_events WHERE version = 2")
        assert [broken.hashlock for broken in await check_history(conn)] == [terms.hashlock]
        with pytest.raises(InvariantViolation, match="HISTORY_BROKEN"):
            replay(await load_history(conn, terms.hashlock))


async def test_a_look_that_changes_nothing_writes_no_index(store: Pool) -> None:
    terms = await put_swap(store)
    await decide_once(store, terms.hashlock, a_decision(State.FILLING, wake=7))
    swap = await swap_of(store, terms.hashlock)
    async with transaction(store) as conn:
        for _ in range(3):
            assert not await save_decision(conn, swap, a_decision(State.FILLING, wake=7), actor="test")
        hot = await conn.fetchval("SELECT pg_stat_get_xact_tuples_hot_updated('swaps'::regclass)")
    assert hot == 3
