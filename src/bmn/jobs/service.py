"""The loops of scheduled tasks: put runs on the queue when they are due, and do them."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from bmn.core.errors import BmnError
from bmn.jobs.deps import JobDeps
from bmn.jobs.table import JOBS, Work, policy_of
from bmn.observe import jobs as observe
from bmn.pg.errors import Undeliverable
from bmn.pg.pool import connection, transaction
from bmn.pg.queue import Claimed, finish
from bmn.pg.runs import begin_run, save_failure, save_success
from bmn.pg.schedules import QUEUE, Job, Schedule, declare_schedules, decode_run
from bmn.pg.ticker import run_ticker
from bmn.pg.worker import run_worker
from bmn.seams import Rng

_CONCURRENCY: Final = 2
_RESERVED: Final = 1
"""A slow job must not hold up the one that looks at deadlines."""
_WORKS: Final = {job: entry.run for job, entry in JOBS.items()}


async def run_jobs(deps: JobDeps, schedules: Sequence[Schedule], rng: Rng) -> None:
    """Declare `schedules` and keep to them until cancelled."""
    async with transaction(deps.pool) as conn:
        await declare_schedules(conn, schedules)

    async def handle(claimed: Claimed) -> None:
        await run_job(claimed, deps, _WORKS)

    async with asyncio.TaskGroup() as group:
        group.create_task(run_ticker(deps.pool, deps.wake, deps.clock))
        group.create_task(
            run_worker(
                deps.pool,
                [QUEUE],
                handle,
                concurrency=_CONCURRENCY,
                reserved=_RESERVED,
                wake=deps.wake,
                clock=deps.clock,
                rng=rng,
                policy_of=policy_of,
            )
        )


async def run_job(claimed: Claimed, deps: JobDeps, works: Mapping[Job, Work]) -> None:
    """Do one run; its result and the end of its message stand together.

    Raises:
        Undeliverable: there is no such job in this version.
        Exception: what the job raised; it is recorded.
    """
    run = decode_run(claimed.payload)
    work = works.get(run.job)
    if work is None:
        raise Undeliverable("UNKNOWN_JOB", f"schedule {run.schedule} runs {run.job}, which this version does not have")
    async with transaction(deps.pool) as conn:
        begun = await begin_run(conn, run, claimed.attempts, deps.instance)
    started = deps.clock.monotonic()
    try:
        metrics = await work(deps)
    except Exception as error:
        code = error.code if isinstance(error, BmnError) else "UNEXPECTED"
        # The text of an unknown error may hold anything, and this goes to a table that people read.
        text = str(error) if isinstance(error, BmnError) else type(error).__name__
        async with connection(deps.pool) as conn:
            await save_failure(conn, begun, code, text)
        observe.job_failed(run.job, run.schedule, code, claimed.attempts)
        raise
    async with transaction(deps.pool) as conn:
        await save_success(conn, begun, metrics)
        await finish(conn, claimed)
    observe.job_succeeded(run.job, run.schedule, deps.clock.monotonic() - started)
