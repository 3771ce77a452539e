"""Schedules on a real database: registered, fired at most once for each tick, missed, held back, paused."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bmn.core.errors import BadInput, NotFound, PermanentError, Refused
from bmn.pg.pool import Pool, connection, open_pool, transaction
from bmn.pg.queue import Claimed, Priority, claim, finish
from bmn.pg.schedules import (
    MOST_MADE_UP,
    QUEUE,
    Job,
    Missed,
    Overlap,
    Registered,
    Schedule,
    declare_schedules,
    decode_run,
    load_schedule,
    load_schedules,
    load_wait,
    pause,
    register,
    resume,
    run_now,
    unregister,
)
from bmn.pg.ticker import fire_due

MINUTELY = Schedule(name="minutely", job=Job("count"), spec="* * * * *", overlap=Overlap.ALLOW)


@pytest.fixture
async def pool(engine_database: str) -> AsyncIterator[Pool]:
    async with open_pool(engine_database, size=5) as opened:
        yield opened


async def put(pool: Pool, schedule: Schedule, *, down: timedelta | None = None) -> datetime | None:
    """Register; with `down`, as if nobody had been there for so long. Return the next tick."""
    async with transaction(pool) as conn:
        await register(conn, schedule)
        if down is not None:
            await conn.execute(
                "UPDATE schedules SET next_at = date_trunc('minute', clock_timestamp()) - $2::interval WHERE name = $1",
                schedule.name,
                down,
            )
    return (await one(pool, schedule.name)).next_at


async def one(pool: Pool, name: str) -> Registered:
    async with connection(pool) as conn:
        return await load_schedule(conn, name)


async def names(pool: Pool) -> list[str]:
    async with connection(pool) as conn:
        return [one.schedule.name for one in await load_schedules(conn)]


async def take(pool: Pool) -> list[Claimed]:
    return await claim(pool, [QUEUE], 1000, 60.0)


async def ticks(pool: Pool) -> list[datetime]:
    return sorted(decode_run(claimed.payload).tick for claimed in await take(pool))


async def now(pool: Pool) -> datetime:
    async with connection(pool) as conn:
        found: datetime = await conn.fetchval("SELECT clock_timestamp()")
    return found


async def end(pool: Pool, claimed: Claimed) -> None:
    async with transaction(pool) as conn:
        await finish(conn, claimed)


async def test_a_tick_becomes_one_message_and_the_schedule_moves_on(pool: Pool) -> None:
    schedule = replace(MINUTELY, spec="every 1h", priority=Priority.HIGH, max_attempts=4)
    await put(pool, schedule)
    assert await fire_due(pool) == 0  # its time has not come
    due_at = (await now(pool)).replace(microsecond=0)
    hour = due_at.replace(minute=0, second=0)
    async with connection(pool) as conn:
        await conn.execute("UPDATE schedules SET next_at = $1", hour)
    assert await fire_due(pool) == 1
    (claimed,) = await take(pool)
    run = decode_run(claimed.payload)
    assert (claimed.kind, claimed.priority, claimed.max_attempts) == ("count@1", Priority.HIGH, 4)
    assert (run.schedule, run.job, run.tick) == ("minutely", "count", hour)
    assert (await one(pool, "minutely")).next_at == hour + timedelta(hours=1)
    assert await fire_due(pool) == 0


async def test_twenty_instances_at_once_make_one_run(pool: Pool, engine_database: str) -> None:
    await put(pool, replace(MINUTELY, missed=Missed.ALL), down=timedelta(minutes=9))
    async with AsyncExitStack() as stack:
        instances = [await stack.enter_async_context(open_pool(engine_database, size=1)) for _ in range(20)]
        assert sum(await asyncio.gather(*(fire_due(instance) for instance in instances))) == 10
    found = await ticks(pool)
    assert len(set(found)) == len(found) == 10


@pytest.mark.parametrize(("missed", "runs"), [(Missed.SKIP, 0), (Missed.ONCE, 1), (Missed.ALL, 3)])
async def test_ticks_missed_while_all_were_down_follow_their_policy(pool: Pool, missed: Missed, runs: int) -> None:
    hour = ((await now(pool)).hour + 12) % 24  # far from now, so that no tick is just late
    following = await put(pool, replace(MINUTELY, spec=f"0 {hour} * * *", missed=missed))
    assert following is not None
    last = following - timedelta(days=1)
    async with connection(pool) as conn:
        await conn.execute("UPDATE schedules SET next_at = $1", last - timedelta(days=2))
    await fire_due(pool)
    last_ones = [last - timedelta(days=back) for back in reversed(range(runs))]
    assert await ticks(pool) == last_ones


async def test_no_more_than_a_hundred_ticks_are_made_up(pool: Pool) -> None:
    await put(pool, replace(MINUTELY, missed=Missed.ALL), down=timedelta(days=30))
    await fire_due(pool)
    found = await ticks(pool)
    assert len(found) == MOST_MADE_UP
    assert await now(pool) - found[0] < timedelta(minutes=MOST_MADE_UP + 1)


@pytest.mark.parametrize(("missed", "behind"), [(Missed.SKIP, 0), (Missed.ONCE, 1), (Missed.ALL, 3)])
async def test_without_overlap_ticks_during_a_run_follow_the_same_policy(
    pool: Pool, missed: Missed, behind: int
) -> None:
    await put(pool, replace(MINUTELY, spec="every 1s", missed=missed, overlap=Overlap.FORBID))
    async with connection(pool) as conn:
        await run_now(conn, "minutely")
    (working,) = await take(pool)
    for _ in range(3):
        async with connection(pool) as conn:  # a tick has come, the same ones never again
            await conn.execute("UPDATE schedules SET next_at = date_trunc('second', clock_timestamp())")
            last = await conn.fetchval("SELECT next_at FROM schedules")
        await fire_due(pool)
        while await now(pool) < last + timedelta(seconds=1):
            await asyncio.sleep(0.01)  # between two looks
    assert await take(pool) == []  # never two at once
    await end(pool, working)
    done = 0
    while claims := await take(pool):
        assert len(claims) == 1
        await end(pool, claims[0])
        done += 1
    assert done == behind


async def test_with_overlap_runs_go_side_by_side(pool: Pool) -> None:
    await put(pool, replace(MINUTELY, missed=Missed.ALL), down=timedelta(minutes=2))
    await fire_due(pool)
    assert len(await take(pool)) == 3


async def test_two_schedules_of_one_job_never_run_it_twice_at_once(pool: Pool) -> None:
    for name in ("one", "other"):
        await put(pool, replace(MINUTELY, name=name, overlap=Overlap.FORBID))
        async with connection(pool) as conn:
            await run_now(conn, name)
    assert len(await take(pool)) == 1


async def test_a_paused_schedule_runs_only_when_told_and_owes_nothing_afterwards(pool: Pool) -> None:
    await put(pool, replace(MINUTELY, missed=Missed.ALL), down=timedelta(minutes=5))
    async with connection(pool) as conn:
        await pause(conn, "minutely")
        assert await load_wait(conn) is None
    assert await fire_due(pool) == 0
    async with connection(pool) as conn:
        tick = await run_now(conn, "minutely")
    assert await ticks(pool) == [tick]
    async with connection(pool) as conn:
        await resume(conn, "minutely")
        again = await load_schedule(conn, "minutely")
    assert again.next_at is not None
    assert again.next_at > await now(pool) - timedelta(seconds=1)
    assert not again.paused


async def test_a_single_moment_runs_once_and_is_over(pool: Pool) -> None:
    moment = (await now(pool)).replace(microsecond=0) + timedelta(seconds=1)
    await put(pool, replace(MINUTELY, spec=f"at {moment.isoformat()}"))
    async with asyncio.timeout(10):
        while await fire_due(pool) == 0:
            await asyncio.sleep(0.01)  # between two looks
    assert await ticks(pool) == [moment]
    assert (await one(pool, "minutely")).next_at is None
    assert await fire_due(pool) == 0


async def test_schedules_are_registered_listed_shown_and_unregistered_at_run_time(pool: Pool) -> None:
    await put(pool, MINUTELY)
    await put(pool, replace(MINUTELY, name="another", spec="every 30s"))
    assert await names(pool) == ["another", "minutely"]
    assert (await one(pool, "another")).words == "Every 30 s"
    await put(pool, replace(MINUTELY, name="another", spec="every 31s"))
    assert (await one(pool, "another")).words == "Every 31 s"
    async with connection(pool) as conn:
        await unregister(conn, "another")
        assert await names(pool) == ["minutely"]
        for change in (unregister, pause, resume, run_now, load_schedule):
            with pytest.raises(NotFound, match="NO_SUCH_JOB"):
                await change(conn, "another")


@pytest.mark.parametrize(
    ("schedule", "code"),
    [
        (replace(MINUTELY, spec="61 * * * * *"), "BAD_SCHEDULE"),
        (replace(MINUTELY, spec="at 2026-01-01T00:00"), "BAD_SCHEDULE"),
        (replace(MINUTELY, zone="Mars"), "BAD_ZONE"),
        (replace(MINUTELY, name="Two Words"), "BAD_NAME"),
    ],
)
async def test_what_could_never_run_is_refused(pool: Pool, schedule: Schedule, code: str) -> None:
    with pytest.raises(BadInput, match=code):
        await put(pool, schedule)
    assert await names(pool) == []


async def test_what_the_program_declares_comes_and_goes_with_it(pool: Pool) -> None:
    async with transaction(pool) as conn:
        await declare_schedules(conn, [MINUTELY, replace(MINUTELY, name="old")])
        await register(conn, replace(MINUTELY, name="mine"))
        await pause(conn, "minutely")
        await declare_schedules(conn, [MINUTELY, replace(MINUTELY, name="new")])
        with pytest.raises(Refused, match="DECLARED"):
            await register(conn, MINUTELY)
    assert await names(pool) == ["mine", "minutely", "new"]
    assert (await one(pool, "minutely")).paused


async def test_a_restart_makes_up_what_was_missed_and_a_changed_spec_starts_anew(pool: Pool) -> None:
    async with transaction(pool) as conn:
        await declare_schedules(conn, [MINUTELY])
        await conn.execute("UPDATE schedules SET next_at = next_at - interval '1 day'")
        missed = (await load_schedule(conn, "minutely")).next_at
        await declare_schedules(conn, [MINUTELY])
        assert (await load_schedule(conn, "minutely")).next_at == missed
        await declare_schedules(conn, [replace(MINUTELY, spec="every 30s")])
        changed = (await load_schedule(conn, "minutely")).next_at
    assert changed is not None
    assert changed > await now(pool) - timedelta(seconds=1)


async def test_one_that_a_later_version_wrote_holds_up_nobody(pool: Pool) -> None:
    await put(pool, MINUTELY, down=timedelta(0))
    await put(pool, replace(MINUTELY, name="later"), down=timedelta(minutes=1))
    async with connection(pool) as conn:
        await conn.execute("UPDATE schedules SET spec = 'when the moon is full' WHERE name = 'later'")
    assert await fire_due(pool) == 1


async def test_nobody_is_kept_awake_by_one_that_a_later_version_wrote(pool: Pool) -> None:
    await put(pool, replace(MINUTELY, name="later"), down=timedelta(minutes=1))
    async with connection(pool) as conn:
        await conn.execute("UPDATE schedules SET spec = 'when the moon is full'")
        assert await load_wait(conn) is None
    await put(pool, replace(MINUTELY, spec="every 1h"))
    async with connection(pool) as conn:
        wait = await load_wait(conn)
    assert wait is not None
    assert wait > 0


def test_a_message_that_is_no_run_is_for_a_person() -> None:
    with pytest.raises(PermanentError, match="BAD_MESSAGE"):
        decode_run(b"{}")
