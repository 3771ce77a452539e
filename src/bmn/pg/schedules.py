"""Schedules: which job is due when. Registered by the program at its start, or by a person at run time.

At most one run for each tick, over all instances: the transaction that moves a schedule on to its next tick puts the
run on the queue. From there on a run has what every message has: a lease, a fence, retries, a grave. The database's
clock decides.

A tick is *late* up to `LATE_SECONDS` after its moment, and runs; after that it is *missed*, because nobody was there.
`missed` says what becomes of missed ticks:

- `skip`: nothing.
- `once`: the last of them runs, unless a late one runs anyway.
- `all`: each runs, the last `MOST_MADE_UP` of them.

`overlap` says whether two runs of a job may go on at once. When they may not, a tick that comes while an older run
waits or goes on is dropped under `skip`, runs after it under `once` (one waits at most), and under `all` each does.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NewType

import asyncpg
import msgspec

from bmn.core.errors import BadInput, NotFound, Refused
from bmn.pg.cron import latest_ticks, parse_timing
from bmn.pg.errors import Undeliverable
from bmn.pg.pool import Connection
from bmn.pg.queue import NewMessage, Priority, enqueue

LATE_SECONDS: Final = 5.0
MOST_MADE_UP: Final = 100
QUEUE: Final = "jobs"
"""Where runs wait, unless a schedule says otherwise."""

_LATE: Final = timedelta(seconds=LATE_SECONDS)
_INSTANT: Final = timedelta(microseconds=1)

Job = NewType("Job", str)
"""Which code runs."""


class Missed(StrEnum):
    """What becomes of ticks at which nobody was there."""

    SKIP = "skip"
    ONCE = "once"
    ALL = "all"


class Overlap(StrEnum):
    """Whether a run may begin while another of the same job goes on."""

    FORBID = "forbid"
    ALLOW = "allow"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """What is to run, and when."""

    name: str
    """Lower-case letters, digits and hyphens, at most 60."""
    job: Job
    spec: str
    """As `parse_timing` reads it."""
    zone: str = "UTC"
    queue: str = QUEUE
    priority: Priority = Priority.NORMAL
    max_attempts: int | None = 1
    """Of one run; None: never given up."""
    missed: Missed = Missed.ONCE
    overlap: Overlap = Overlap.FORBID


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A schedule as it stands."""

    schedule: Schedule
    declared: bool
    """By the program; else by a person at run time."""
    paused: bool
    next_at: datetime | None
    """None: no tick is left."""

    @property
    def words(self) -> str:
        """Return the schedule for people."""
        return parse_timing(self.schedule.spec, self.schedule.zone).words()


class RunJob(msgspec.Struct, frozen=True, kw_only=True):
    """The message of one run; `kind_of` the job is its kind."""

    schedule: str
    job: Job
    tick: datetime
    """The moment it was due, or asked for by a person."""


def kind_of(job: Job) -> str:
    """Return the kind of the messages that run `job`."""
    return f"{job}@1"


def decode_run(payload: bytes) -> RunJob:
    """Read the message of a run.

    Raises:
        Undeliverable: `BAD_MESSAGE`, not a message of this version.
    """
    try:
        return msgspec.json.decode(payload, type=RunJob)
    except msgspec.MsgspecError as error:
        raise Undeliverable("BAD_MESSAGE", "the queue holds a run this version cannot read") from error


_SAVE = """
INSERT INTO schedules (name, job, spec, zone, queue, priority, max_attempts, missed, overlap, declared, next_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (name) DO UPDATE
SET job = EXCLUDED.job, spec = EXCLUDED.spec, zone = EXCLUDED.zone, queue = EXCLUDED.queue,
    priority = EXCLUDED.priority, max_attempts = EXCLUDED.max_attempts, missed = EXCLUDED.missed,
    overlap = EXCLUDED.overlap, declared = EXCLUDED.declared,
    -- The same times: what was missed meanwhile is still to be made up.
    next_at = CASE WHEN (schedules.spec, schedules.zone) = (EXCLUDED.spec, EXCLUDED.zone)
                   THEN schedules.next_at ELSE EXCLUDED.next_at END
WHERE EXCLUDED.declared OR NOT schedules.declared
"""


async def declare_schedules(conn: Connection, schedules: Sequence[Schedule]) -> None:
    """Make `schedules` what the program wants: new and changed ones are saved, others it declared before are removed.

    What people registered at run time stays, and so do pauses.

    Raises:
        BadInput: as `register`; nothing is changed if the caller's transaction then fails.
    """
    for schedule in sorted(schedules, key=lambda one: one.name):  # in one order, against deadlocks
        await _save(conn, schedule, declared=True)
    await conn.execute(
        "DELETE FROM schedules WHERE declared AND name <> ALL ($1::text[])", [one.name for one in schedules]
    )


async def register(conn: Connection, schedule: Schedule) -> None:
    """Add a schedule at run time, or change one that was.

    Raises:
        BadInput: `BAD_SCHEDULE`, `BAD_ZONE`, `BAD_NAME`.
        Refused: `DECLARED`, the program itself has one of that name; its times are in the settings.
    """
    if not await _save(conn, schedule, declared=False):
        raise Refused("DECLARED", f"schedule {schedule.name} is the program's own", hint="change it in the settings")


async def unregister(conn: Connection, name: str) -> None:
    """Remove a schedule; runs under way go on. One of the program's own comes back at the next start: pause it instead.

    Raises:
        NotFound: `NO_SUCH_JOB`.
    """
    _check_one(await conn.execute("DELETE FROM schedules WHERE name = $1", name), name)


async def pause(conn: Connection, name: str) -> None:
    """Let no further tick run, until resumed; also over restarts.

    Raises:
        NotFound: `NO_SUCH_JOB`.
    """
    _check_one(await conn.execute("UPDATE schedules SET paused = true WHERE name = $1", name), name)


async def resume(conn: Connection, name: str) -> None:
    """Let ticks run again, from the next one on: those of the pause were not missed.

    Raises:
        NotFound: `NO_SUCH_JOB`.
    """
    schedule = (await load_schedule(conn, name)).schedule
    following = parse_timing(schedule.spec, schedule.zone).next_after(await _now(conn))
    await conn.execute("UPDATE schedules SET paused = false, next_at = $2 WHERE name = $1 AND paused", name, following)


async def run_now(conn: Connection, name: str) -> datetime:
    """Put a run on the queue, out of turn, also when paused; return its tick. After a commit, wake the workers.

    Raises:
        NotFound: `NO_SUCH_JOB`.
    """
    schedule = (await load_schedule(conn, name)).schedule
    tick = await _now(conn)
    await _enqueue(conn, schedule, tick)
    return tick


_LOAD = """
SELECT name, job, spec, zone, queue, priority, max_attempts, missed, overlap, declared, paused, next_at FROM schedules
"""


async def load_schedule(conn: Connection, name: str) -> Registered:
    """Return one schedule.

    Raises:
        NotFound: `NO_SUCH_JOB`.
    """
    row = await conn.fetchrow(f"{_LOAD} WHERE name = $1", name)
    if row is None:
        raise _no_such(name)
    return _registered(row)


async def load_schedules(conn: Connection) -> list[Registered]:
    """Return all schedules, by name."""
    return [_registered(row) for row in await conn.fetch(f"{_LOAD} ORDER BY name")]


_DUE = "SELECT name FROM schedules WHERE NOT paused AND next_at <= clock_timestamp() ORDER BY next_at"


async def load_due(conn: Connection) -> list[str]:
    """Return the names of the schedules whose next tick has come, the longest due first."""
    return [row["name"] for row in await conn.fetch(_DUE)]


_UNTIL_DUE = """
SELECT spec, zone, extract(epoch FROM next_at - clock_timestamp())::float8 AS seconds FROM schedules
WHERE NOT paused AND next_at IS NOT NULL ORDER BY next_at
"""


async def load_wait(conn: Connection) -> float | None:
    """Return the seconds until the next tick of any schedule that this version reads, at least 0; None: there is none.

    One that it cannot read may be due for ever: whoever waited for that would never rest.
    """
    for row in await conn.fetch(_UNTIL_DUE):
        with suppress(BadInput):
            parse_timing(row["spec"], row["zone"])
            return max(0.0, float(row["seconds"]))
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fired:
    """What became of the ticks of a schedule that had come."""

    run: tuple[datetime, ...]
    """These are on the queue."""
    dropped: tuple[datetime, ...]
    """These never run: missed, or an older run is in the way. At most `MOST_MADE_UP` are told."""


_TAKE = f"{_LOAD} WHERE name = $1 AND NOT paused AND next_at <= clock_timestamp() FOR UPDATE SKIP LOCKED"

_MOVE_ON = "UPDATE schedules SET next_at = $3 WHERE name = $1 AND next_at = $2"


async def fire(conn: Connection, name: str) -> Fired | None:
    """Move a schedule on to its next tick and put the runs that are due on the queue, in the caller's transaction.

    Returns None when nothing is due any more: another instance was first, or is at it.

    Raises:
        BadInput: a later version of the program registered what this one cannot read.
    """
    row = await conn.fetchrow(_TAKE, name)
    if row is None:
        return None
    schedule, due_at = _schedule(row), row["next_at"]
    timing, now = parse_timing(schedule.spec, schedule.zone), await _now(conn)
    due = latest_ticks(timing, due_at - _INSTANT, now, MOST_MADE_UP)
    if await conn.execute(_MOVE_ON, name, due_at, timing.next_after(now)) != "UPDATE 1":
        return None
    run = []
    for tick in choose_ticks(due, now, schedule.missed):
        if await _has_room(conn, schedule):
            await _enqueue(conn, schedule, tick)
            run.append(tick)
    return Fired(run=tuple(run), dropped=tuple(tick for tick in due if tick not in run))


def choose_ticks(due: list[datetime], now: datetime, missed: Missed) -> list[datetime]:
    """Return which of the ticks that have come (the oldest first) are to run. Pure."""
    late = [tick for tick in due if now - tick <= _LATE]
    match missed:
        case Missed.SKIP:
            return late
        case Missed.ONCE:
            return late or due[-1:]
        case Missed.ALL:
            return due


_IN_THE_WAY = """
SELECT EXISTS (SELECT FROM messages WHERE key = $1 AND lease_token IS NULL) AS waits,
       EXISTS (SELECT FROM messages WHERE key = $1 AND lease_token IS NOT NULL) AS goes_on
"""


async def _has_room(conn: Connection, schedule: Schedule) -> bool:
    if schedule.overlap is Overlap.ALLOW or schedule.missed is Missed.ALL:
        return True
    row = await conn.fetchrow(_IN_THE_WAY, _key(schedule))
    assert row is not None
    return not (row["waits"] or (row["goes_on"] and schedule.missed is Missed.SKIP))


async def _enqueue(conn: Connection, schedule: Schedule, tick: datetime) -> None:
    message = NewMessage(
        queue=schedule.queue,
        kind=kind_of(schedule.job),
        payload=msgspec.json.encode(RunJob(schedule=schedule.name, job=schedule.job, tick=tick)),
        priority=schedule.priority,
        key=_key(schedule) if schedule.overlap is Overlap.FORBID else None,
        dedup=f"{schedule.name}@{tick.isoformat()}",
        max_attempts=schedule.max_attempts,
    )
    await enqueue(conn, message)


def _key(schedule: Schedule) -> bytes:
    return b"job\0" + schedule.job.encode()


async def _save(conn: Connection, schedule: Schedule, *, declared: bool) -> bool:
    if not re.fullmatch(r"[a-z0-9-]{1,60}", schedule.name):
        raise BadInput("BAD_NAME", "a schedule is named by lower-case letters, digits and hyphens, at most 60")
    following = parse_timing(schedule.spec, schedule.zone).next_after(await _now(conn))
    if following is None and not declared:
        raise BadInput("BAD_SCHEDULE", f"{schedule.name}: {schedule.spec!r} is over, it would never run")
    saved: str = await conn.execute(
        _SAVE,
        schedule.name,
        schedule.job,
        schedule.spec,
        schedule.zone,
        schedule.queue,
        int(schedule.priority),
        schedule.max_attempts,
        schedule.missed.value,
        schedule.overlap.value,
        declared,
        following,
    )
    return saved == "INSERT 0 1"


async def _now(conn: Connection) -> datetime:
    now: datetime = await conn.fetchval("SELECT clock_timestamp()")
    return now


def _schedule(row: asyncpg.Record) -> Schedule:
    return Schedule(
        name=row["name"],
        job=Job(row["job"]),
        spec=row["spec"],
        zone=row["zone"],
        queue=row["queue"],
        priority=Priority(row["priority"]),
        max_attempts=row["max_attempts"],
        missed=Missed(row["missed"]),
        overlap=Overlap(row["overlap"]),
    )


def _registered(row: asyncpg.Record) -> Registered:
    return Registered(schedule=_schedule(row), declared=row["declared"], paused=row["paused"], next_at=row["next_at"])


def _check_one(status: str, name: str) -> None:
    if status.endswith(" 0"):
        raise _no_such(name)


def _no_such(name: str) -> NotFound:
    return NotFound("NO_SUCH_JOB", f"there is no job {name[:80]!r}", hint="see: bmn jobs")
