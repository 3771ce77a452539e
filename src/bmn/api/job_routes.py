"""The operator's routes to scheduled jobs: when they run, and what became of their runs."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated

import msgspec
from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import PathParameter, QueryParameter

from bmn.pg.pool import Pool, connection
from bmn.pg.runs import Run, Status, list_statuses, load_runs, load_status


class RunBody(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt at one tick."""

    job_name: str
    tick: datetime
    attempt: int
    instance: str
    started_at: datetime
    execution_time: float | None
    """Seconds; null while it goes on."""
    success: bool | None
    code: str | None
    error: str | None
    metrics: Mapping[str, int | float] | None


class JobBody(msgspec.Struct, frozen=True, kw_only=True):
    """One schedule."""

    name: str
    job: str
    schedule: str
    zone: str
    words: str
    paused: bool
    next_run: datetime | None
    missed: str
    overlap: str
    last_run: RunBody | None


class JobsBody(msgspec.Struct, frozen=True, kw_only=True):
    """All schedules, by name."""

    jobs: list[JobBody]


class JobRunsBody(msgspec.Struct, frozen=True, kw_only=True):
    """One schedule with its last runs, the newest first."""

    job: JobBody
    runs: list[RunBody]


def build_job_routes(pool: Pool) -> Sequence[HTTPRouteHandler]:
    """Return the routes over the database."""

    @get("/api/v1/jobs")
    async def list_jobs() -> JobsBody:
        async with connection(pool) as conn:
            return JobsBody(jobs=[_show_job(status) for status in await list_statuses(conn)])

    @get("/api/v1/jobs/{name:str}")
    async def show_job(
        name: Annotated[str, PathParameter(pattern=r"^[^\x00]*$")],  # what PostgreSQL can hold as text
        limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 20,
    ) -> JobRunsBody:
        async with connection(pool) as conn:
            status = await load_status(conn, name)
            runs = await load_runs(conn, name, limit)
        return JobRunsBody(job=_show_job(status), runs=[_show_run(run) for run in runs])

    return [list_jobs, show_job]


def _show_job(status: Status) -> JobBody:
    schedule = status.registered.schedule
    return JobBody(
        name=schedule.name,
        job=schedule.job,
        schedule=schedule.spec,
        zone=schedule.zone,
        words=status.registered.words,
        paused=status.registered.paused,
        next_run=status.registered.next_at,
        missed=schedule.missed.value,
        overlap=schedule.overlap.value,
        last_run=None if status.last is None else _show_run(status.last),
    )


def _show_run(run: Run) -> RunBody:
    return RunBody(
        job_name=run.schedule,
        tick=run.tick,
        attempt=run.attempt,
        instance=run.instance,
        started_at=run.started_at,
        execution_time=run.seconds,
        success=run.success,
        code=run.code,
        error=run.error,
        metrics=run.metrics,
    )
