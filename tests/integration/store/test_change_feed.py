"""The feed of changes: in order for each swap, without a gap, from any point on, in any process."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.support.api_values import DST, SRC
from tests.support.hand_clock import HandClock
from tests.support.postgres import fresh_database
from tests.support.stored_swaps import SEALER, a_place, an_order, put_swap
from tests.support.swap_values import A_SECRET, TAKER

from bmn.core.errors import BadInput
from bmn.core.swap import Decision, State
from bmn.core.units import Hashlock, Secret
from bmn.pg.beside import running
from bmn.pg.pool import Connection, Pool, connection, open_pool, transaction
from bmn.pg.wake import Wake, run_wake
from bmn.seams import SystemClock
from bmn.store.feed import Feed, OrderCreated, OrderEvent, OrderUpdated, SecretRevealed, name_of, open_feed, watch_swaps
from bmn.store.journal import EventKind, NewEvent, save_events
from bmn.store.orders import save_order
from bmn.store.secrets import save_secret
from bmn.store.swaps import create_swap, load_swap, save_decision


@asynccontextmanager
async def watching(pool: Pool, after: int | None = None, wake: Wake | None = None) -> AsyncIterator[list[OrderEvent]]:
    """A list that grows as events come."""
    seen: list[OrderEvent] = []

    async def read() -> None:
        async with watch_swaps(pool, wake or Wake(), SystemClock(), after=after) as events:
            ready.set()
            async for event in events:
                seen.append(event)  # noqa: PERF401 - one by one, as they come

    ready = asyncio.Event()
    task = asyncio.create_task(read())
    try:
        async with asyncio.timeout(20):
            await ready.wait()
        yield seen
    finally:
        task.cancel()
        await asyncio.wait([task])


async def until(seen: list[OrderEvent], count: int, seconds: float = 20) -> list[OrderEvent]:
    async with asyncio.timeout(seconds):
        while len(seen) < count:
            await asyncio.sleep(0.005)
    return seen


async def decide(conn: Connection, hashlock: Hashlock, state: State, reason: str = "TEST") -> None:
    swap = await load_swap(conn, hashlock)
    assert swap is not None
    await save_decision(conn, swap, Decision(state=state, actions=(), reason=reason), actor="test")


async def move(pool: Pool, hashlock: Hashlock, state: State, reason: str = "TEST") -> None:
    async with transaction(pool) as conn:
        await decide(conn, hashlock, state, reason)


def told(secret: Secret, number: int, *, log_index: int = 0) -> NewEvent:
    return NewEvent(
        place=a_place(number, log_index=log_index),
        kind=EventKind.ESCROW_WITHDRAWAL,
        emitter=TAKER,
        is_foreign=False,
        hashlock=secret.hashlock,
        secret=secret,
    )


async def test_a_swap_is_told_from_its_order_to_its_secret(store: Pool) -> None:
    async with watching(store) as seen:
        terms = await put_swap(store)
        await move(store, terms.hashlock, State.AWAIT_SECRET)
        async with connection(store) as conn:
            await save_secret(conn, A_SECRET, SEALER)
            await save_secret(conn, A_SECRET, SEALER)
            await save_events(conn, DST, [told(A_SECRET, 7), told(A_SECRET, 7, log_index=1)])
            await save_events(conn, SRC, [told(A_SECRET, 8)])
        await move(store, terms.hashlock, State.SETTLED)
        events = list(await until(seen, 6))
    assert [name_of(event) for event in events] == [
        "order.created",
        "order.updated",
        "secret.revealed",
        "secret.revealed",
        "secret.revealed",
        "order.updated",
    ]
    created, updated, handed, on_dst, on_src, settled = events
    assert isinstance(created, OrderCreated)
    assert isinstance(updated, OrderUpdated)
    assert isinstance(settled, OrderUpdated)
    assert (created.hashlock, created.order_hash, created.state) == (terms.hashlock, terms.order_hash, State.ACCEPTED)
    assert (updated.version, updated.before, updated.state) == (2, State.ACCEPTED, State.AWAIT_SECRET)
    assert (settled.version, settled.before, settled.state) == (3, State.AWAIT_SECRET, State.SETTLED)
    revealed = [event for event in (handed, on_dst, on_src) if isinstance(event, SecretRevealed)]
    assert [event.chain_id for event in revealed] == [None, DST, SRC]


async def test_the_value_of_a_secret_is_told_only_when_a_chain_has_told_it(store: Pool) -> None:
    terms = await put_swap(store)
    async with connection(store) as conn:
        await save_secret(conn, A_SECRET, SEALER)
        await save_events(conn, DST, [told(A_SECRET, 7)])
    async with watching(store, after=0) as seen:
        events = await until(seen, 3)
    revealed = [event for event in events if isinstance(event, SecretRevealed)]
    assert [event.secret for event in revealed] == [None, A_SECRET]
    assert {event.hashlock for event in revealed} == {terms.hashlock}
    assert A_SECRET.reveal().hex() not in repr(events)


async def test_a_secret_of_no_order_of_ours_is_not_told(store: Pool) -> None:
    stranger = Secret(b"\x09" * 32)
    async with watching(store, after=0) as seen:
        async with connection(store) as conn:
            await save_events(conn, DST, [told(stranger, 7)])
        await put_swap(store)
        [event] = await until(seen, 1)
    assert isinstance(event, OrderCreated)


def reading(pool: Pool, after: int) -> Feed:
    return Feed(pool, asyncio.Event(), SystemClock(), after=after)


async def numbers(reader: Feed) -> list[int]:
    return [event.number for event in await reader.look()]


async def numbers_in_time(reader: Feed) -> list[int]:
    """The same, once nobody else on the server has an older transaction open: its own housekeeping may."""
    async with asyncio.timeout(20):
        while True:
            found = await numbers(reader)
            if found:
                return found


async def test_a_change_committed_late_is_not_passed_over(store: Pool) -> None:
    """The number of the open transaction is smaller than those of the changes committed while it is open."""
    first = await put_swap(store, 1)
    others = [await put_swap(store, number, secret=Secret(bytes([number]) * 32)) for number in (2, 3)]
    reader = reading(store, 0)
    async with transaction(store) as late:
        await decide(late, first.hashlock, State.FILLING)
        for terms in others:
            await move(store, terms.hashlock, State.FILLING)
        assert [await numbers(reader) for _ in range(3)] == [[1, 2, 3], [], []]
    assert await numbers_in_time(reader) == [4, 5, 6]


async def test_a_change_before_an_open_one_is_told_at_once(store: Pool) -> None:
    first = await put_swap(store, 1)
    second = await put_swap(store, 2, secret=Secret(b"\x02" * 32))
    reader = reading(store, 2)
    await move(store, second.hashlock, State.FILLING)
    async with transaction(store) as late:
        await decide(late, first.hashlock, State.FILLING)
        assert await numbers_in_time(reader) == [3]
        await move(store, second.hashlock, State.ABORT)
        assert await numbers(reader) == []
    assert await numbers_in_time(reader) == [4, 5]


async def test_a_hole_is_passed_only_when_everybody_who_could_fill_it_has_ended(store: Pool) -> None:
    first = await put_swap(store, 1)
    second = await put_swap(store, 2, secret=Secret(b"\x02" * 32))
    reader = reading(store, 2)
    async with connection(store) as conn:
        await conn.execute("SELECT nextval('feed_numbers')")
    async with transaction(store) as one:
        await one.execute("SELECT pg_current_xact_id()")
        await move(store, second.hashlock, State.FILLING)
        assert await numbers(reader) == []
        async with transaction(store) as later:
            await decide(later, first.hashlock, State.FILLING)
            assert await numbers(reader) == []
            await one.execute("SELECT 1")
    assert await numbers_in_time(reader) == [4, 5]


async def test_a_change_that_was_taken_back_leaves_a_hole_that_is_passed(store: Pool) -> None:
    terms = await put_swap(store)
    async with connection(store) as conn:
        block = conn.transaction()
        await block.start()
        await decide(conn, terms.hashlock, State.FILLING)
        await block.rollback()
    await move(store, terms.hashlock, State.ABORT)
    async with watching(store, after=0) as seen:
        events = await until(seen, 2)
    assert [event.number for event in events] == [1, 3]


async def test_a_reader_that_begins_now_waits_for_whoever_may_still_bring_an_older_number(store: Pool) -> None:
    first = await put_swap(store, 1)
    second = await put_swap(store, 2, secret=Secret(b"\x02" * 32))
    clock = HandClock()
    async with transaction(store) as late:
        await decide(late, first.hashlock, State.FILLING)
        await move(store, second.hashlock, State.FILLING)
        watcher = watch_swaps(store, Wake(), clock)
        entering = asyncio.create_task(watcher.__aenter__())
        async with asyncio.timeout(20):
            while not clock._sleepers:
                await asyncio.sleep(0)
        assert not entering.done()
    async with asyncio.timeout(20):
        while not entering.done():
            await clock.advance(1)
            await asyncio.sleep(0)
    events = await entering
    await move(store, second.hashlock, State.ABORT)
    event = await anext(events)
    await watcher.__aexit__(None, None, None)
    assert (event.number, event.hashlock) == (5, second.hashlock)


async def test_many_writers_and_a_reader_that_comes_and_goes_lose_and_double_nothing(store: Pool) -> None:
    draw = random.Random(7)
    swaps = [await put_swap(store, number, secret=Secret(bytes([number]) * 32)) for number in range(1, 7)]
    states = [State.FILLING, State.SRC_LIVE]

    async def write(at: int) -> None:
        for step in range(25):
            async with transaction(store) as conn:
                await decide(conn, swaps[at].hashlock, states[step % 2], f"STEP_{step}")
                if draw.random() < 0.1:
                    await conn.execute("SELECT nextval('feed_numbers')")

    seen: list[OrderEvent] = []

    async def read() -> None:
        while len(seen) < 6 * 26:
            after = seen[-1].number if seen else 0
            async with watching(store, after=after) as more:
                await until(more, min(draw.randint(1, 20), 6 * 26 - len(seen)))
                seen.extend(more)

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(read())
        for at in range(6):
            group.create_task(write(at))
    order = [event.number for event in seen]
    assert order == sorted(set(order))
    for terms in swaps:
        versions = [
            event.version for event in seen if isinstance(event, OrderUpdated) and event.hashlock == terms.hashlock
        ]
        assert versions == list(range(2, 27))


async def test_a_slow_reader_gets_everything_later(store: Pool) -> None:
    terms = await put_swap(store)
    async with watch_swaps(store, Wake(), SystemClock(), after=0) as events:
        first = await anext(events)
        for step in range(150):
            await move(store, terms.hashlock, State.FILLING, f"STEP_{step}")
        rest = [await anext(events) for _ in range(150)]
    assert isinstance(first, OrderCreated)
    assert [event.reason for event in rest if isinstance(event, OrderUpdated)] == [f"STEP_{at}" for at in range(150)]


async def test_another_instance_sees_a_change_within_a_second(postgres: str, store_template: str) -> None:
    """Two pools and two wakes share nothing but the database."""
    ours, theirs, clock = Wake(), Wake(), SystemClock()
    with fresh_database(postgres, template=store_template) as dsn:
        async with (
            open_pool(dsn, size=2) as pool,
            open_pool(dsn, size=2) as other,
            running(run_wake(dsn, ours, clock)),
            running(run_wake(dsn, theirs, clock)),
            watching(other, wake=theirs) as seen,
        ):
            for number in range(1, 6):
                await put_swap(pool, number, secret=Secret(bytes([number]) * 32))
                ours.signal()
                await until(seen, number, seconds=1)


async def test_without_wake_ups_a_change_comes_within_a_second(store: Pool) -> None:
    async with watching(store) as seen:
        await put_swap(store)
        await until(seen, 1, seconds=1)


async def test_a_created_order_that_is_rolled_back_is_never_told(store: Pool) -> None:
    async with watching(store) as seen:
        async with connection(store) as conn:
            block = conn.transaction()
            await block.start()
            signed, terms = an_order(1)
            await save_order(conn, signed, terms)
            await create_swap(conn, terms.hashlock, SRC, DST, actor="test")
            await block.rollback()
        again = await put_swap(store, 2, secret=Secret(b"\x02" * 32))
        events = await until(seen, 1)
    assert [event.hashlock for event in events] == [again.hashlock]


async def test_a_reader_that_waited_long_enough_gets_nothing_and_goes_on(store: Pool) -> None:
    async with open_feed(store, Wake(), SystemClock(), after=0) as feed:
        assert (await feed.read(0), feed.last) == ([], 0)
        await put_swap(store)
        assert len(await feed.read(5)) == 1
        assert feed.last == 1


async def test_a_number_that_was_never_given_is_refused(store: Pool) -> None:
    await put_swap(store)
    async with open_feed(store, Wake(), SystemClock(), after=1) as feed:
        assert feed.last == 1
    with pytest.raises(BadInput, match="BAD_EVENT_ID"):
        async with open_feed(store, Wake(), SystemClock(), after=2):
            pass
