"""What became of each run of a job. A run that succeeded is recorded once for each tick, whatever happens."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NewType, TypeAlias

import asyncpg

from bmn.pg.errors import LostLease, storable
from bmn.pg.pool import Connection
from bmn.pg.schedules import Registered, RunJob, load_schedule, load_schedules

KEPT_DAYS: Final = 7
KEPT_RUNS: Final = 20
"""Of each schedule, however old."""

Metrics: TypeAlias = Mapping[str, int | float]
"""What a run found or did, by name."""
RunId = NewType("RunId", int)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One attempt at one tick."""

    schedule: str
    tick: datetime
    attempt: int
    instance: str
    started_at: datetime
    finished_at: datetime | None
    """None while it goes on."""
    success: bool | None
    """None while it goes on."""
    code: str | None
    """Of the failure."""
    error: str | None
    metrics: Metrics | None

    @property
    def seconds(self) -> float | None:
        """Return how long it took, None while it goes on."""
        return None if self.finished_at is None else (self.finished_at - self.started_at).total_seconds()


_ABANDON = """
UPDATE job_runs SET finished_at = clock_timestamp(), success = false, code = 'INTERRUPTED',
                    error = 'the instance stopped or died during the run'
WHERE schedule = $1 AND tick = $2 AND finished_at IS NULL
"""

_BEGIN = "INSERT INTO job_runs (schedule, tick, attempt, instance) VALUES ($1, $2, $3, $4) RETURNING id"


async def begin_run(conn: Connection, run: RunJob, attempt: int, instance: str) -> RunId:
    """Record that an attempt begins; an earlier one that never ended was interrupted."""
    await conn.execute(_ABANDON, run.schedule, run.tick)
    return RunId(await conn.fetchval(_BEGIN, run.schedule, run.tick, attempt, instance))


_SUCCEED = """
UPDATE job_runs SET finished_at = clock_timestamp(), success = true, metrics = $2
WHERE id = $1 AND finished_at IS NULL
"""


async def save_success(conn: Connection, run: RunId, metrics: Metrics) -> None:
    """Record the result; call it in the transaction that finishes the message.

    Raises:
        LostLease: somebody took the run over meanwhile.
    """
    saved = await conn.execute(_SUCCEED, run, json.dumps(dict(metrics)))
    if saved != "UPDATE 1":
        raise LostLease(f"run {run}")


async def save_failure(conn: Connection, run: RunId, code: str, error: str) -> None:
    """Record why it failed, unless somebody took the run over meanwhile."""
    await conn.execute(
        """
        UPDATE job_runs SET finished_at = clock_timestamp(), success = false, code = $2, error = $3
        WHERE id = $1 AND finished_at IS NULL
        """,
        run,
        code,
        storable(error),
    )


_LOAD = "SELECT schedule, tick, attempt, instance, started_at, finished_at, success, code, error, metrics FROM job_runs"


async def load_runs(conn: Connection, schedule: str, limit: int = 20) -> list[Run]:
    """Return the last runs of a schedule, the newest first."""
    rows = await conn.fetch(f"{_LOAD} WHERE schedule = $1 ORDER BY id DESC LIMIT $2", schedule, limit)
    return [_run(row) for row in rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A schedule and its last run."""

    registered: Registered
    last: Run | None
    """None before the first."""


async def list_statuses(conn: Connection) -> list[Status]:
    """Return every schedule with its last run, by name."""
    found = await load_schedules(conn)
    last = await load_last_runs(conn, [one.schedule.name for one in found])
    return [Status(registered=one, last=last.get(one.schedule.name)) for one in found]


async def load_status(conn: Connection, name: str) -> Status:
    """Return one schedule with its last run.

    Raises:
        NotFound: `NO_SUCH_JOB`.
    """
    registered = await load_schedule(conn, name)
    return Status(registered=registered, last=(await load_last_runs(conn, [name])).get(name))


_LAST = f"""
SELECT last.* FROM unnest($1::text[]) AS wanted (name)
CROSS JOIN LATERAL ({_LOAD} WHERE schedule = wanted.name ORDER BY id DESC LIMIT 1) AS last
"""  # noqa: S608 - of constants


async def load_last_runs(conn: Connection, schedules: list[str]) -> dict[str, Run]:
    """Return the newest run of each of `schedules` that ever ran."""
    return {row["schedule"]: _run(row) for row in await conn.fetch(_LAST, schedules)}


_TRIM = """
DELETE FROM job_runs old
WHERE old.started_at < clock_timestamp() - make_interval(days => $1)
  AND old.id <= (SELECT id FROM job_runs kept WHERE kept.schedule = old.schedule ORDER BY id DESC OFFSET $2 LIMIT 1)
"""


async def trim_runs(conn: Connection) -> int:
    """Delete runs older than `KEPT_DAYS`, but the last `KEPT_RUNS` of each schedule; return how many it were."""
    return int((await conn.execute(_TRIM, KEPT_DAYS, KEPT_RUNS)).removeprefix("DELETE "))


def _run(row: asyncpg.Record) -> Run:
    values = dict(row)
    metrics = values.pop("metrics")
    return Run(**values, metrics=None if metrics is None else json.loads(metrics))
