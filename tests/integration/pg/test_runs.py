"""Results of runs: one success for each tick, what was interrupted, and how long they are kept."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from bmn.pg.errors import LostLease
from bmn.pg.pool import Pool, connection, open_pool
from bmn.pg.runs import KEPT_RUNS, begin_run, load_last_runs, load_runs, save_failure, save_success, trim_runs
from bmn.pg.schedules import Job, RunJob

RUN = RunJob(schedule="counting", job=Job("count"), tick=datetime(2026, 11, 24, 12, tzinfo=UTC))


@pytest.fixture
async def pool(engine_database: str) -> AsyncIterator[Pool]:
    async with open_pool(engine_database, size=2) as opened:
        yield opened


async def test_a_run_is_kept_with_its_result(pool: Pool) -> None:
    async with connection(pool) as conn:
        first = await begin_run(conn, RUN, 1, "here")
        (running,) = await load_runs(conn, "counting")
        assert (running.success, running.seconds) == (None, None)
        await save_failure(conn, first, "NO_LUCK", "it did not work")
        second = await begin_run(conn, RUN, 2, "there")
        await save_success(conn, second, {"swaps": 3, "lag": 0.5})
        newest, oldest = await load_runs(conn, "counting")
    assert (oldest.success, oldest.code, oldest.error, oldest.attempt) == (False, "NO_LUCK", "it did not work", 1)
    assert (newest.success, newest.code, newest.metrics) == (True, None, {"swaps": 3, "lag": 0.5})
    assert (newest.instance, newest.attempt, newest.tick) == ("there", 2, RUN.tick)
    assert newest.seconds is not None
    assert newest.seconds >= 0


async def test_no_tick_succeeds_twice(pool: Pool) -> None:
    async with connection(pool) as conn:
        await save_success(conn, await begin_run(conn, RUN, 1, "here"), {})
        again = await begin_run(conn, RUN, 2, "there")
        with pytest.raises(asyncpg.UniqueViolationError):
            await save_success(conn, again, {})


async def test_a_run_that_never_ended_is_told_as_interrupted(pool: Pool) -> None:
    async with connection(pool) as conn:
        dead = await begin_run(conn, RUN, 1, "here")
        await begin_run(conn, RUN, 2, "there")
        await save_failure(conn, dead, "TOO_LATE", "it woke up again")
        _, oldest = await load_runs(conn, "counting")
    assert oldest.code == "INTERRUPTED"


async def test_a_run_that_was_taken_over_is_lost_to_its_first_owner(pool: Pool) -> None:
    async with connection(pool) as conn:
        slow = await begin_run(conn, RUN, 1, "here")
        await begin_run(conn, RUN, 2, "there")
        with pytest.raises(LostLease):
            await save_success(conn, slow, {})


async def test_any_text_of_a_failure_can_be_kept(pool: Pool) -> None:
    async with connection(pool) as conn:
        await save_failure(conn, await begin_run(conn, RUN, 1, "here"), "NO_LUCK", "a\0b\ud800c")
        (run,) = await load_runs(conn, "counting")
    assert run.error == "a?b?c"


async def test_the_last_run_of_each_schedule_is_found(pool: Pool) -> None:
    async with connection(pool) as conn:
        for hour in range(3):
            run = RunJob(schedule="counting", job=Job("count"), tick=RUN.tick + timedelta(hours=hour))
            await save_success(conn, await begin_run(conn, run, 1, "here"), {"hour": hour})
        found = await load_last_runs(conn, ["counting", "never-ran"])
    assert {name: run.metrics for name, run in found.items()} == {"counting": {"hour": 2}}


async def test_old_runs_go_but_for_the_last_of_each_schedule(pool: Pool) -> None:
    async with connection(pool) as conn:
        for number in range(KEPT_RUNS + 2):
            run = RunJob(schedule="counting", job=Job("count"), tick=RUN.tick + timedelta(hours=number))
            await save_success(conn, await begin_run(conn, run, 1, "here"), {})
        assert await trim_runs(conn) == 0
        await conn.execute("UPDATE job_runs SET started_at = started_at - interval '8 days'")
        assert await trim_runs(conn) == 2
        assert len(await load_runs(conn, "counting", 1000)) == KEPT_RUNS
