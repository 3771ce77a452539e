"""The queue against a real server: one rule each."""

from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest

from bmn.core.errors import InvariantViolation
from bmn.pg.dead import load_dead
from bmn.pg.errors import LostLease
from bmn.pg.pool import Connection, Pool, connection, open_pool, transaction
from bmn.pg.queue import (
    Claimed,
    Fate,
    NewMessage,
    Priority,
    bury,
    claim,
    enqueue,
    finish,
    next_due,
    put_back,
    renew,
    retry_later,
    sweep_expired,
)

LEASE = 60.0
EXPIRED = -1.0


@pytest.fixture
async def pool(engine_database: str) -> AsyncIterator[Pool]:
    async with open_pool(engine_database, size=10) as opened:
        yield opened


async def put(
    pool: Pool,
    payload: str = "x",
    *,
    queue: str = "q",
    priority: Priority = Priority.NORMAL,
    key: bytes | None = None,
    dedup: str | None = None,
    delay: float = 0.0,
    max_attempts: int | None = None,
) -> None:
    async with transaction(pool) as conn:
        await enqueue(
            conn,
            NewMessage(
                queue=queue,
                kind="k@1",
                payload=payload.encode(),
                priority=priority,
                key=key,
                dedup=dedup,
                delay=delay,
                max_attempts=max_attempts,
            ),
        )


async def take(pool: Pool, *queues: str, limit: int = 10, lease: float = LEASE) -> list[str]:
    return [one.payload.decode() for one in await claim(pool, queues or ("q",), limit, lease)]


async def take_one(pool: Pool, *, lease: float = LEASE) -> Claimed:
    [one] = await claim(pool, ("q",), 10, lease)
    return one


async def done(pool: Pool, claimed: Claimed) -> None:
    async with transaction(pool) as conn:
        await finish(conn, claimed)


async def count(pool: Pool) -> int:
    async with connection(pool) as conn:
        return int(await conn.fetchval("SELECT count(*) FROM messages"))


async def put_and_fail(conn: Connection) -> None:
    await enqueue(conn, NewMessage(queue="q", kind="k@1", payload=b"x"))
    await conn.execute("SELECT 1/0")


async def write_and_finish(conn: Connection, claimed: Claimed) -> None:
    await conn.execute("INSERT INTO results VALUES (1)")
    await finish(conn, claimed)


async def test_a_message_stands_or_falls_with_the_transaction_that_put_it(pool: Pool) -> None:
    with pytest.raises(asyncpg.DivisionByZeroError):
        async with transaction(pool) as conn:
            await put_and_fail(conn)
    assert await take(pool) == []


async def test_a_claim_carries_what_was_put(pool: Pool) -> None:
    async with transaction(pool) as conn:
        await enqueue(
            conn, NewMessage(queue="q", kind="k@1", payload=b"\x00", key=b"\x01", dedup="d", max_attempts=3, trace="t")
        )
    one = await take_one(pool)
    assert (one.queue, one.kind, one.payload, one.key, one.dedup) == ("q", "k@1", b"\x00", b"\x01", "d")
    assert (one.attempts, one.max_attempts, one.trace, one.priority) == (1, 3, "t", Priority.NORMAL)


async def test_higher_priority_first_then_the_queue_named_first_then_the_longest_due(pool: Pool) -> None:
    await put(pool, "second", queue="b", priority=Priority.HIGH)
    await put(pool, "fifth", queue="b")
    await put(pool, "third", queue="a", delay=-2)
    await put(pool, "fourth", queue="a", delay=-1)
    await put(pool, "first", queue="b", priority=Priority.CRITICAL)
    order = [payload for _ in range(5) for payload in await take(pool, "a", "b", limit=1)]
    assert order == ["first", "second", "third", "fourth", "fifth"]


async def test_takes_only_from_the_queues_named_and_no_more_than_the_limit(pool: Pool) -> None:
    for number in range(3):
        await put(pool, str(number), queue="a")
    await put(pool, queue="b")
    assert len(await take(pool, "a", limit=2)) == 2
    assert len(await take(pool, "a", limit=2)) == 1
    assert await take(pool, "c") == []


async def test_a_message_is_not_handed_out_before_it_is_due(pool: Pool) -> None:
    await put(pool, delay=3600)
    assert await take(pool) == []
    due = await next_due(pool, ["q"])
    assert due is not None
    assert 3590 < due <= 3600
    assert await next_due(pool, ["other"]) is None
    await put(pool, delay=0)
    assert await take(pool) == ["x"]


async def test_messages_of_one_key_run_one_at_a_time_and_in_order(pool: Pool) -> None:
    await put(pool, "low", key=b"k", priority=Priority.LOW, queue="a")
    await put(pool, "high", key=b"k", priority=Priority.HIGH, queue="b")
    await put(pool, "other", key=b"l", queue="a")
    assert sorted(await take(pool, "a", "b")) == ["high", "other"]
    assert await take(pool, "a", "b") == []


async def test_a_key_is_free_again_after_finish_retry_or_death(pool: Pool) -> None:
    for payload in "abc":
        await put(pool, payload, key=b"k", max_attempts=5)
    first = await take_one(pool)
    await done(pool, first)
    second = await take_one(pool)
    await retry_later(pool, second, "no", 3600)
    third = await take_one(pool)
    await bury(pool, third, "no")
    assert [first.payload, second.payload, third.payload] == [b"a", b"b", b"c"]
    assert await take(pool) == []


async def test_a_queue_nobody_serves_does_not_block_the_key_elsewhere(pool: Pool) -> None:
    await put(pool, "never", queue="unserved", key=b"k", priority=Priority.CRITICAL)
    await put(pool, "served", queue="a", key=b"k")
    assert await take(pool, "a") == ["served"]


async def test_a_waiting_duplicate_is_folded_and_moved_up_but_never_back(pool: Pool) -> None:
    await put(pool, dedup="d", delay=3600, priority=Priority.LOW)
    await put(pool, dedup="d", delay=0, priority=Priority.HIGH)
    await put(pool, dedup="d", delay=3600, priority=Priority.LOW)
    one = await take_one(pool)
    assert one.priority == Priority.HIGH
    assert await count(pool) == 1


async def test_a_duplicate_of_a_message_in_work_runs_after_it(pool: Pool) -> None:
    await put(pool, "first", dedup="d")
    first = await take_one(pool)
    await put(pool, "second", dedup="d")
    await put(pool, "third", dedup="d")
    assert await take(pool) == []
    await done(pool, first)
    assert await take(pool) == ["second"]


async def test_a_duplicate_put_by_an_open_transaction_is_not_handed_out_before_its_commit(pool: Pool) -> None:
    """Else the worker could read what was before, finish, and the wake-up would be lost."""
    await put(pool, dedup="d")
    async with transaction(pool) as conn:
        await enqueue(conn, NewMessage(queue="q", kind="k@1", payload=b"y", dedup="d"))
        assert await take(pool) == []
    assert await take(pool) == ["x"]


async def test_a_failed_message_folds_into_the_duplicate_that_came_meanwhile(pool: Pool) -> None:
    await put(pool, "first", dedup="d", max_attempts=2)
    first = await take_one(pool)
    await put(pool, "second", dedup="d", max_attempts=2)
    assert await retry_later(pool, first, "broke", 3600) is Fate.WAITS
    second = await take_one(pool)  # at once: there was news
    assert (second.payload, second.attempts) == (b"second", 2)
    assert await retry_later(pool, second, "broke", 0) is Fate.DEAD


async def test_a_message_of_a_dead_worker_folds_into_the_duplicate_that_came_meanwhile(pool: Pool) -> None:
    await put(pool, "first", dedup="d")
    await take_one(pool, lease=EXPIRED)
    await put(pool, "second", dedup="d")
    assert await sweep_expired(pool) == 1
    await done(pool, await take_one(pool))
    assert await count(pool) == 0


async def give_up(pool: Pool, claimed: Claimed) -> None:
    assert await retry_later(pool, claimed, "broke", 0) is Fate.WAITS


async def die(pool: Pool, claimed: Claimed) -> None:
    async with connection(pool) as conn:
        await conn.execute("UPDATE messages SET lease_until = '-infinity' WHERE id = $1", claimed.id)
    assert await sweep_expired(pool) == 1


@pytest.mark.parametrize("let_go", [give_up, put_back, die])
async def test_a_message_that_folds_into_a_later_and_lesser_duplicate_keeps_its_place(
    pool: Pool, let_go: Callable[[Pool, Claimed], Awaitable[None]]
) -> None:
    await put(pool, dedup="d", priority=Priority.HIGH)
    first = await take_one(pool)
    await put(pool, dedup="d", delay=3600, priority=Priority.LOW)
    await let_go(pool, first)
    assert await count(pool) == 1
    assert (await take_one(pool)).priority == Priority.HIGH


async def test_finish_needs_a_transaction(pool: Pool) -> None:
    await put(pool)
    one = await take_one(pool)
    async with connection(pool) as conn:
        with pytest.raises(InvariantViolation, match="NO_TRANSACTION"):
            await finish(conn, one)
    assert not one.finished.is_set()
    await done(pool, one)
    assert one.finished.is_set()
    assert await count(pool) == 0


async def test_a_late_finish_takes_its_result_down_with_it(pool: Pool) -> None:
    async with connection(pool) as conn:
        await conn.execute("CREATE TABLE results (n int)")
    await put(pool)
    late = await take_one(pool, lease=EXPIRED)
    assert await sweep_expired(pool) == 1
    again = await take_one(pool)
    assert again.token > late.token
    with pytest.raises(LostLease):
        async with transaction(pool) as conn:
            await write_and_finish(conn, late)
    async with connection(pool) as conn:
        assert await conn.fetchval("SELECT count(*) FROM results") == 0
    await done(pool, again)


async def test_an_expired_lease_that_nobody_took_can_still_be_finished(pool: Pool) -> None:
    await put(pool)
    await done(pool, await take_one(pool, lease=EXPIRED))


async def test_after_a_sweep_every_way_to_let_go_is_refused_to_the_late_owner(pool: Pool) -> None:
    await put(pool)
    late = await take_one(pool, lease=EXPIRED)
    await sweep_expired(pool)
    for refused in (retry_later(pool, late, "x", 0), bury(pool, late, "x"), put_back(pool, late)):
        with pytest.raises(LostLease):
            await refused
    assert await renew(pool, [late], LEASE) == set()
    assert await count(pool) == 1


async def test_a_sweep_leaves_living_leases_alone(pool: Pool) -> None:
    await put(pool)
    one = await take_one(pool, lease=EXPIRED)
    assert await renew(pool, [one], LEASE) == {one.id}
    assert await sweep_expired(pool) == 0
    assert await take(pool) == []


async def test_a_sweep_does_not_wait_for_a_message_that_is_being_finished(pool: Pool) -> None:
    await put(pool)
    one = await take_one(pool, lease=EXPIRED)
    async with transaction(pool) as conn:
        await finish(conn, one)
        assert await sweep_expired(pool) == 0
        assert await renew(pool, [one], LEASE) == {one.id}
    assert await count(pool) == 0


async def test_the_last_attempt_goes_to_the_dead_and_the_one_before_does_not(pool: Pool) -> None:
    await put(pool, max_attempts=2)
    assert await retry_later(pool, await take_one(pool), "first", 0) is Fate.WAITS
    assert await retry_later(pool, await take_one(pool), "second", 0) is Fate.DEAD
    async with connection(pool) as conn:
        [dead] = await load_dead(conn)
    assert (dead.error, dead.attempts, dead.payload) == ("second", 2, b"x")


async def test_a_message_that_kills_its_workers_dies_too(pool: Pool) -> None:
    await put(pool, max_attempts=2)
    await take_one(pool, lease=EXPIRED)
    await sweep_expired(pool)
    await take_one(pool, lease=EXPIRED)
    await sweep_expired(pool)
    assert await count(pool) == 0
    async with connection(pool) as conn:
        [dead] = await load_dead(conn)
    assert "its worker died" in dead.error


async def test_a_message_that_kills_its_workers_and_is_never_given_up_comes_back_ever_later(pool: Pool) -> None:
    await put(pool)
    for _ in range(2):
        await take_one(pool, lease=EXPIRED)
        await sweep_expired(pool)
    await take_one(pool, lease=EXPIRED)
    await sweep_expired(pool)
    due = await next_due(pool, ["q"])
    assert due is not None
    assert 0 < due <= 1


async def test_without_a_limit_a_message_is_never_given_up(pool: Pool) -> None:
    await put(pool)
    for attempt in range(1, 30):
        one = await take_one(pool)
        assert one.attempts == attempt
        assert await retry_later(pool, one, "no", 0) is Fate.WAITS


@pytest.mark.parametrize(("first", "second", "together"), [(2, 5, 5), (5, 2, 5), (2, None, None), (None, 2, None)])
async def test_a_folded_message_is_given_up_no_sooner_than_either(
    pool: Pool, first: int | None, second: int | None, together: int | None
) -> None:
    await put(pool, dedup="d", max_attempts=first)
    await put(pool, dedup="d", max_attempts=second)
    one = await take_one(pool)
    assert one.max_attempts == together


@pytest.mark.parametrize(("mine", "waiting", "together"), [(2, 5, 5), (5, 2, 5), (2, None, None), (None, 2, None)])
async def test_a_message_given_back_into_a_duplicate_is_given_up_no_sooner_than_either(
    pool: Pool, mine: int | None, waiting: int | None, together: int | None
) -> None:
    await put(pool, dedup="d", max_attempts=mine)
    one = await take_one(pool)
    await put(pool, dedup="d", max_attempts=waiting)
    await retry_later(pool, one, "no", 0)
    again = await take_one(pool)
    assert (again.max_attempts, again.attempts) == (together, 2)


async def test_only_what_is_urgent_enough_is_claimed(pool: Pool) -> None:
    for priority in Priority:
        await put(pool, priority.name, priority=priority)
    claims = await claim(pool, ("q",), 10, LEASE, least=Priority.HIGH)
    assert [one.payload for one in claims] == [b"CRITICAL", b"HIGH"]


async def test_a_message_put_back_has_not_been_tried(pool: Pool) -> None:
    await put(pool, max_attempts=1)
    for _ in range(3):
        one = await take_one(pool)
        assert one.attempts == 1
        await put_back(pool, one)


async def test_the_payload_does_not_print(pool: Pool) -> None:
    await put(pool, "hush")
    assert "hush" not in repr(await take_one(pool))
