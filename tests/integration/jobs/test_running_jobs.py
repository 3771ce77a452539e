"""From tick to result: what a run records, how a failing one is tried again, and that it all goes on by itself."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import pytest
from tests.support.job_rig import open_job_deps

from bmn.core.errors import TransientError
from bmn.jobs.deps import JobDeps
from bmn.jobs.service import run_job, run_jobs
from bmn.jobs.table import Work, build_schedules
from bmn.pg.beside import running
from bmn.pg.dead import load_dead
from bmn.pg.errors import LostLease, Undeliverable
from bmn.pg.policy import RetryPolicy
from bmn.pg.pool import Pool, connection, transaction
from bmn.pg.queue import Claimed, claim
from bmn.pg.runs import Metrics, list_statuses, load_runs
from bmn.pg.schedules import QUEUE, Job, Schedule, register, run_now
from bmn.pg.worker import run_worker
from bmn.seams import SystemClock, SystemRng

COUNT = Schedule(name="count", job=Job("count"), spec="0 0 1 1 *", max_attempts=4)


async def counted(_: JobDeps) -> Metrics:
    return {"sheep": 7}


async def failing(_: JobDeps) -> Metrics:
    raise TransientError("NO_SHEEP", "they are asleep")


async def broken(_: JobDeps) -> Metrics:
    raise ZeroDivisionError("of something secret")


async def ask(pool: Pool) -> None:
    async with transaction(pool) as conn:
        await register(conn, COUNT)
        await run_now(conn, "count")


async def take(pool: Pool) -> Claimed:
    (claimed,) = await claim(pool, [QUEUE], 10, 60.0)
    return claimed


async def until(pool: Pool, query: str) -> None:
    """Wait until the query says true."""
    async with asyncio.timeout(60), connection(pool) as conn:
        while not await conn.fetchval(query):
            await asyncio.sleep(0.05)  # between two looks


async def test_a_result_and_the_end_of_its_message_stand_together(store: Pool) -> None:
    await ask(store)
    claimed = await take(store)
    async with open_job_deps(store) as deps:
        with pytest.raises(LostLease):
            await run_job(replace(claimed, token=claimed.token + 1), deps, {COUNT.job: counted})
        await run_job(claimed, deps, {COUNT.job: counted})
    async with connection(store) as conn:
        done, interrupted = await load_runs(conn, "count")
        assert await conn.fetchval("SELECT count(*) FROM messages") == 0
    assert (done.success, done.metrics, done.instance) == (True, {"sheep": 7}, "test")
    assert (interrupted.success, interrupted.code) == (False, "INTERRUPTED")


@pytest.mark.parametrize(
    ("work", "code", "error"),
    [(failing, "NO_SHEEP", "NO_SHEEP: they are asleep"), (broken, "UNEXPECTED", "ZeroDivisionError")],
)
async def test_a_failure_is_recorded_without_what_it_must_not_tell(
    store: Pool, work: Work, code: str, error: str
) -> None:
    await ask(store)
    async with open_job_deps(store) as deps:
        with pytest.raises((TransientError, ZeroDivisionError)):
            await run_job(await take(store), deps, {COUNT.job: work})
    async with connection(store) as conn:
        (run,) = await load_runs(conn, "count")
    assert (run.success, run.code, run.error) == (False, code, error)


async def test_a_job_that_this_version_lacks_goes_to_the_dead(store: Pool) -> None:
    await ask(store)
    async with open_job_deps(store) as deps:
        with pytest.raises(Undeliverable, match="UNKNOWN_JOB"):
            await run_job(await take(store), deps, {})


async def test_a_failing_run_is_tried_again_by_its_policy_and_then_given_up(store: Pool) -> None:
    """The waits of the timelock monitor, a hundred times as fast."""
    await ask(store)
    policy = RetryPolicy(first=0.01, factor=5.0, longest=0.1, jitter=0.0, max_retries=3)
    works: Mapping[Job, Work] = {COUNT.job: failing}
    async with open_job_deps(store) as deps:
        worker = run_worker(
            store,
            [QUEUE],
            lambda claimed: run_job(claimed, deps, works),
            concurrency=1,
            wake=deps.wake,
            clock=SystemClock(),
            rng=SystemRng(),
            policy_of=lambda _: policy,
        )
        async with running(worker):
            await until(store, "SELECT count(*) = 1 FROM dead_messages")
    async with connection(store) as conn:
        runs = await load_runs(conn, "count")
        (dead,) = await load_dead(conn)
    assert [run.attempt for run in runs] == [4, 3, 2, 1]
    assert len({run.tick for run in runs}) == 1
    assert "NO_SHEEP" in dead.error
    for (later, earlier), wait in zip(pairwise(runs), (0.1, 0.05, 0.01), strict=True):
        assert earlier.finished_at is not None
        assert (later.started_at - earlier.finished_at).total_seconds() >= wait


async def test_all_jobs_are_registered_and_run_by_themselves(store: Pool) -> None:
    quick = {schedule.name: ("every 200ms", "UTC") for schedule in build_schedules({})}
    async with open_job_deps(store) as deps, running(run_jobs(deps, build_schedules(quick), SystemRng())):
        await until(store, "SELECT count(DISTINCT schedule) = 6 FROM job_runs WHERE success")
    async with connection(store) as conn:
        statuses = await list_statuses(conn)
        assert await conn.fetchval("SELECT count(*) FROM job_runs WHERE NOT success") == 0
    assert [status.registered.schedule.name for status in statuses] == [
        "balance-monitor",
        "health-check",
        "metrics-aggregator",
        "secret-sweep",
        "state-sync",
        "timelock-monitor",
    ]
    assert all(status.last is not None and status.registered.next_at is not None for status in statuses)
