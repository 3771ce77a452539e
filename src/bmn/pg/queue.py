"""Messages: put one on a queue in the transaction that decided it, work on it under a lease, finish it with the result.

At least once: a message whose worker died is handed out again when its lease ends. Messages of one key never run at
the same time. A waiting duplicate (same queue and `dedup`) is folded into one; a duplicate of a message that is being
worked on waits behind it, so a wake-up is never lost. The database's clock decides all times; seconds are seconds.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, IntEnum

import asyncpg

from bmn.core.errors import InvariantViolation, TransientError
from bmn.observe import engine as observe
from bmn.pg.errors import LostLease, translated
from bmn.pg.pinned import Fetches
from bmn.pg.pool import Connection, Pool, connection, transaction

_TRIES = 5


class Priority(IntEnum):
    """What overtakes what."""

    LOW = 0
    NORMAL = 1
    HIGH = 2
    CRITICAL = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMessage:
    """A message to be put on a queue."""

    queue: str
    kind: str
    """Which handler, with its version: `name@1`."""
    payload: bytes = field(repr=False)
    priority: Priority = Priority.NORMAL
    key: bytes | None = None
    """No two messages of one key are worked on at the same time; without one, those of one `dedup`."""
    dedup: str | None = None
    """At most one waiting message for each queue and `dedup`."""
    delay: float = 0.0
    """Seconds from now until it is due."""
    max_attempts: int | None = None
    """None: never given up."""
    trace: str | None = None

    @property
    def exclusive(self) -> bytes | None:
        """Return the key that counts."""
        if self.key is None and self.dedup is not None:
            return f"{self.queue}\0{self.dedup}".encode()
        return self.key


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A message that is ours until its lease ends. Its payload may be secret to logs and does not print."""

    id: int
    queue: str
    kind: str
    priority: int
    key: bytes | None
    """No two messages of one key are worked on at the same time."""
    payload: bytes = field(repr=False)
    dedup: str | None
    attempts: int
    """Claims so far, this one included."""
    max_attempts: int | None
    """None: never given up."""
    token: int
    """Fences the finish: a later owner has another one."""
    trace: str | None
    finished: asyncio.Event = field(default_factory=asyncio.Event, repr=False, compare=False)
    """Set by `finish`, so that a handler which forgets it is found out."""


class Fate(Enum):
    """What became of a message that was given back."""

    WAITS = "waits"
    """It, or the duplicate it was folded into, will be handed out again."""
    DEAD = "dead"
    """It was its last attempt; it lies with the dead messages."""


FOLD = """
-- DO NOTHING would lose wake-ups: a worker could claim the waiting duplicate now and read what we have not committed.
-- The update locks it until then.
ON CONFLICT (queue, dedup) WHERE dedup IS NOT NULL AND lease_token IS NULL
DO UPDATE SET run_at = LEAST(messages.run_at, EXCLUDED.run_at),
              priority = GREATEST(messages.priority, EXCLUDED.priority),
              max_attempts = CASE WHEN messages.max_attempts + EXCLUDED.max_attempts IS NOT NULL
                                  THEN GREATEST(messages.max_attempts, EXCLUDED.max_attempts) END
"""
"""Ends an INSERT into `messages`: what becomes of a duplicate of a waiting message."""

_ENQUEUE = f"""
INSERT INTO messages (queue, kind, priority, run_at, key, payload, dedup, max_attempts, trace)
VALUES ($1, $2, $3, clock_timestamp() + make_interval(secs => $4), $5, $6, $7, $8, $9)
{FOLD}
"""  # noqa: S608 - joined from constants


async def enqueue(conn: Connection, message: NewMessage) -> None:
    """Put `message` on its queue; stands or falls with the caller's transaction.

    A waiting message of the same `dedup` is moved up to the earlier time and the higher priority instead, and is given
    up no sooner than either.
    """
    await conn.execute(
        _ENQUEUE,
        message.queue,
        message.kind,
        int(message.priority),
        message.delay,
        message.exclusive,
        message.payload,
        message.dedup,
        message.max_attempts,
        message.trace,
    )


_CLAIM = """
SELECT id, queue, kind, priority, key, payload, dedup, attempts, max_attempts, lease_token AS token, trace
FROM claim_messages($1, $2, $3, $4)
"""


async def claim(
    source: Fetches, queues: Sequence[str], limit: int, lease: float, *, least: Priority = Priority.LOW
) -> list[Claimed]:
    """Take up to `limit` messages that are due, for `lease` seconds, the most urgent first, none below `least`.

    Higher priority first; within one priority the queue named first; within a queue the longest due.
    """
    lanes = [(queue, priority) for priority in sorted(Priority, reverse=True) if priority >= least for queue in queues]
    names, priorities = [queue for queue, _ in lanes], [int(priority) for _, priority in lanes]
    for _ in range(_TRIES):
        with suppress(asyncpg.UniqueViolationError):  # another worker took a message of the same key this very moment
            with translated():
                rows = await source.fetch(_CLAIM, names, priorities, limit, lease)
            return sorted((Claimed(**dict(row)) for row in rows), key=lambda claimed: (-claimed.priority, claimed.id))
    return []


_FINISH = "DELETE FROM messages WHERE id = $1 AND lease_token = $2"


async def finish(conn: Connection, claimed: Claimed) -> None:
    """Remove the message; call it in the transaction that writes the result.

    Raises:
        LostLease: the message is somebody else's by now: let the transaction fail.
        InvariantViolation: `NO_TRANSACTION`; the result could then stand without the finish, or the finish without it.
    """
    if not conn.is_in_transaction():
        raise InvariantViolation("NO_TRANSACTION", f"message {claimed.id} must be finished inside a transaction")
    if await conn.execute(_FINISH, claimed.id, claimed.token) != "DELETE 1":
        raise LostLease(f"message {claimed.id}")
    claimed.finished.set()


async def retry_later(pool: Pool, claimed: Claimed, error: str, delay: float, *, code: str = "UNEXPECTED") -> Fate:
    """Give the message back, due in `delay` seconds; after its last attempt it goes to the dead messages.

    Raises:
        LostLease: the message is somebody else's by now.
    """
    return await _give_back(pool, claimed.id, claimed.token, failure=(code, error), delay=delay)


async def put_back(pool: Pool, claimed: Claimed) -> None:
    """Give the message back as if it had not been claimed: at its old place in the line.

    Raises:
        LostLease: the message is somebody else's by now.
    """
    await _give_back(pool, claimed.id, claimed.token, failure=None, delay=None)


_DIE = """
WITH gone AS (DELETE FROM messages WHERE id = $1 AND lease_token = $2 RETURNING *)
INSERT INTO dead_messages
    (id, queue, kind, priority, key, payload, dedup, attempts, max_attempts, code, error, trace, created_at,
     first_failed_at)
SELECT id, queue, kind, priority, key, payload, dedup, attempts, max_attempts, $3, $4, trace, created_at,
       coalesce(first_failed_at, clock_timestamp())
FROM gone
"""


async def bury(pool: Pool, claimed: Claimed, error: str, *, code: str = "UNEXPECTED") -> None:
    """Move the message to the dead messages, with what broke it; people are told.

    Raises:
        LostLease: the message is somebody else's by now.
    """
    async with connection(pool) as conn:
        if await conn.execute(_DIE, claimed.id, claimed.token, code, error) != "INSERT 0 1":
            raise LostLease(f"message {claimed.id}")
    observe.message_died(claimed.queue, claimed.kind, code, claimed.attempts, claimed.id)


_RENEW = """
WITH wanted AS (SELECT * FROM unnest($1::bigint[], $2::bigint[]) AS claim (id, token)),
free AS (
    -- A locked one is being finished right now; waiting for it could deadlock with the others of this batch.
    SELECT m.id FROM messages m JOIN wanted ON m.id = wanted.id AND m.lease_token = wanted.token
    FOR UPDATE OF m SKIP LOCKED
),
renewed AS (
    UPDATE messages SET lease_until = clock_timestamp() + make_interval(secs => $3)
    FROM free WHERE messages.id = free.id
)
SELECT m.id FROM messages m JOIN wanted ON m.id = wanted.id AND m.lease_token = wanted.token
"""


async def renew(pool: Pool, held: Sequence[Claimed], lease: float) -> set[int]:
    """Keep messages for `lease` seconds from now; return the ids of those that are still ours."""
    async with connection(pool) as conn:
        rows = await conn.fetch(_RENEW, [one.id for one in held], [one.token for one in held], lease)
    return {row["id"] for row in rows}


_EXPIRED = """
SELECT id, queue, kind, lease_token, attempts FROM messages
WHERE lease_until < clock_timestamp() ORDER BY lease_until LIMIT 100
"""


async def sweep_expired(pool: Pool) -> int:
    """Take back what dead workers held, at most 100; return how many it were.

    A message that kills its worker comes back at its old place twice, then after 1, 2, 4, … at most 30 seconds; from
    the third time on a person is told.
    """
    async with connection(pool) as conn:
        rows = await conn.fetch(_EXPIRED)
    swept = 0
    for row in rows:
        delay = None if row["attempts"] < 3 else min(30.0, 2.0 ** min(row["attempts"] - 3, 5))
        with suppress(LostLease):  # renewed, finished, or swept by another
            failure = ("WORKER_DIED", "the lease ended: its worker died or hung")
            await _give_back(pool, row["id"], row["lease_token"], failure=failure, delay=delay, expired=True)
            observe.message_swept(row["queue"], row["kind"], row["attempts"], row["id"])
            swept += 1
    return swept


_NEXT_DUE = """
SELECT extract(epoch FROM min(next.run_at) - clock_timestamp())::float8
FROM unnest($1::text[], $2::smallint[]) AS lane (queue, priority)
CROSS JOIN LATERAL (
    SELECT m.run_at FROM messages m
    WHERE m.queue = lane.queue AND m.priority = lane.priority AND m.lease_token IS NULL
      AND m.run_at > statement_timestamp()
    ORDER BY m.run_at LIMIT 1
) AS next
"""


async def next_due(pool: Pool, queues: Sequence[str]) -> float | None:
    """Return the seconds until the next delayed message is due, at least 0; None when none waits."""
    lanes = [(queue, int(priority)) for queue in queues for priority in Priority]
    async with connection(pool) as conn:
        seconds = await conn.fetchval(_NEXT_DUE, [queue for queue, _ in lanes], [priority for _, priority in lanes])
    return None if seconds is None else max(0.0, seconds)


_HELD = """
SELECT queue, kind, dedup, priority, run_at, attempts, max_attempts FROM messages
WHERE id = $1 AND lease_token = $2 AND (NOT $3 OR lease_until < clock_timestamp())
FOR UPDATE
"""

_FOLD = """
UPDATE messages
SET attempts = GREATEST(attempts, $3), last_error = coalesce($4, last_error),
    first_failed_at = CASE WHEN $4::text IS NULL THEN first_failed_at
                           ELSE coalesce(first_failed_at, clock_timestamp()) END,
    max_attempts = CASE WHEN max_attempts + $5 IS NOT NULL THEN GREATEST(max_attempts, $5) END,
    priority = GREATEST(priority, $6),
    run_at = LEAST(run_at, coalesce(clock_timestamp() + make_interval(secs => $7), $8))
WHERE queue = $1 AND dedup = $2 AND lease_token IS NULL
"""

_RETURN = """
UPDATE messages
SET lease_token = NULL, lease_until = NULL, attempts = $2, last_error = coalesce($3, last_error),
    first_failed_at = CASE WHEN $3::text IS NULL THEN first_failed_at
                           ELSE coalesce(first_failed_at, clock_timestamp()) END,
    run_at = coalesce(clock_timestamp() + make_interval(secs => $4), run_at)
WHERE id = $1
"""


async def _give_back(
    pool: Pool, message: int, token: int, *, failure: tuple[str, str] | None, delay: float | None, expired: bool = False
) -> Fate:
    """Let a claimed message go; without a failure (code, text) the attempt does not count.

    Without a delay it keeps its place in the line. `expired`: only if its lease has ended.
    """
    for _ in range(_TRIES):
        with suppress(asyncpg.UniqueViolationError):  # a duplicate came between the fold and the return: fold again
            async with transaction(pool) as conn:
                dead = await _let_go(conn, message, token, failure=failure, delay=delay, expired=expired)
            if dead is None:
                return Fate.WAITS
            observe.message_died(dead["queue"], dead["kind"], failure[0] if failure else "", dead["attempts"], message)
            return Fate.DEAD
    raise TransientError("MESSAGE_CONTENDED", f"message {message} could not be given back; its lease ends by itself")


async def _let_go(
    conn: Connection, message: int, token: int, *, failure: tuple[str, str] | None, delay: float | None, expired: bool
) -> asyncpg.Record | None:
    """Return the message if it is dead now."""
    # A sweep does not wait for a message that is being finished, if late.
    held = f"{_HELD} SKIP LOCKED" if expired else _HELD
    row = await conn.fetchrow(held, message, token, expired)
    if row is None:
        raise LostLease(f"message {message}")
    attempts, error = row["attempts"] if failure else row["attempts"] - 1, failure[1] if failure else None
    if failure and row["max_attempts"] is not None and attempts >= row["max_attempts"]:
        await conn.execute(_DIE, message, token, *failure)
        return row
    folded = await conn.execute(
        _FOLD,
        row["queue"],
        row["dedup"],
        attempts,
        error,
        row["max_attempts"],
        row["priority"],
        delay,
        row["run_at"],
    )
    if folded == "UPDATE 1":
        await conn.execute(_FINISH, message, token)
    else:
        await conn.execute(_RETURN, message, attempts, error, delay)
    return None
