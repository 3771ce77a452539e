"""Messages: put one on a queue in the transaction that decided it, work on it under a lease, finish it with the result.

At least once: a message whose worker died is handed out again when its lease ends. Messages of one key never run at
the same time. A waiting duplicate (same queue and `dedup`) is folded into one; a duplicate of a message that is being
worked on waits behind it, so a wake-up is never lost. The database's clock decides all times.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import asyncpg

from bmn.core.errors import NotFound
from bmn.pg.errors import LostLease
from bmn.pg.pool import Connection, Pool, connection, transaction


class Priority(IntEnum):
    """What overtakes what."""

    LOW = 0
    NORMAL = 1
    HIGH = 2
    CRITICAL = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A message in our hands until its lease ends."""

    id: int
    queue: str
    kind: str
    key: bytes | None
    payload: bytes
    dedup: str | None
    attempts: int
    """Claims so far, this one included."""
    max_attempts: int | None
    """None: never given up."""
    token: int
    trace: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadMessage:
    """A message that was given up, with what broke it."""

    id: int
    queue: str
    kind: str
    attempts: int
    error: str
    died_at: str
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueDepth:
    """How much waits on one queue."""

    queue: str
    ready: int
    delayed: int
    leased: int
    oldest_seconds: float
    """Age of the oldest ready message; 0 when there is none."""


_ENQUEUE = """
INSERT INTO messages (queue, kind, priority, run_at, key, payload, dedup, max_attempts, trace)
VALUES ($1, $2, $3, clock_timestamp() + make_interval(secs => $4), $5, $6, $7, $8, $9)
ON CONFLICT (queue, dedup) WHERE dedup IS NOT NULL AND lease_token IS NULL
DO UPDATE SET run_at = LEAST(messages.run_at, EXCLUDED.run_at),
              priority = GREATEST(messages.priority, EXCLUDED.priority)
"""

_CLAIM = """
UPDATE messages SET lease_token = nextval('fence'), lease_until = clock_timestamp() + make_interval(secs => $2),
                    attempts = attempts + 1
WHERE id = (
    SELECT m.id FROM messages m
    WHERE m.queue = ANY($1::text[]) AND m.lease_token IS NULL AND m.run_at <= clock_timestamp()
      AND (m.key IS NULL
           OR NOT EXISTS (SELECT 1 FROM messages b WHERE b.key = m.key AND b.lease_token IS NOT NULL))
    ORDER BY m.priority DESC, m.run_at, m.id
    LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id, queue, kind, key, payload, dedup, attempts, max_attempts, lease_token, trace
"""

_FINISH = "DELETE FROM messages WHERE id = $1 AND lease_token = $2"

_HAS_TWIN = """
SELECT EXISTS (SELECT 1 FROM messages WHERE queue = $1 AND dedup = $2 AND lease_token IS NULL)
"""

_RETRY = """
UPDATE messages SET lease_token = NULL, lease_until = NULL, last_error = $3,
                    run_at = clock_timestamp() + make_interval(secs => $4)
WHERE id = $1 AND lease_token = $2
"""

_DIE = """
WITH gone AS (DELETE FROM messages WHERE id = $1 AND lease_token = $2 RETURNING *)
INSERT INTO dead_messages
    (id, queue, kind, priority, key, payload, dedup, attempts, max_attempts, error, trace, created_at)
SELECT id, queue, kind, priority, key, payload, dedup, attempts, max_attempts, $3, trace, created_at FROM gone
"""

_RENEW = """
UPDATE messages SET lease_until = clock_timestamp() + make_interval(secs => $3) WHERE id = $1 AND lease_token = $2
"""

_SWEEP_FOLDED = """
DELETE FROM messages m WHERE m.lease_until < clock_timestamp() AND m.dedup IS NOT NULL
  AND EXISTS (SELECT 1 FROM messages t WHERE t.queue = m.queue AND t.dedup = m.dedup AND t.lease_token IS NULL)
"""

_SWEEP = """
UPDATE messages SET lease_token = NULL, lease_until = NULL WHERE id IN (
    SELECT id FROM messages WHERE lease_until < clock_timestamp() LIMIT 100 FOR UPDATE SKIP LOCKED)
"""

_DEPTH = """
SELECT queue,
       count(*) FILTER (WHERE lease_token IS NULL AND run_at <= clock_timestamp()) AS ready,
       count(*) FILTER (WHERE lease_token IS NULL AND run_at > clock_timestamp()) AS delayed,
       count(*) FILTER (WHERE lease_token IS NOT NULL) AS leased,
       coalesce(extract(epoch FROM clock_timestamp() - min(run_at)
                        FILTER (WHERE lease_token IS NULL AND run_at <= clock_timestamp())), 0)::float8 AS oldest
FROM messages GROUP BY queue ORDER BY queue
"""

_DEAD = """
SELECT id, queue, kind, attempts, error, died_at::text, payload FROM dead_messages
WHERE $1::bigint IS NULL OR id = $1 ORDER BY died_at DESC LIMIT $2
"""

_REVIVE = """
WITH gone AS (DELETE FROM dead_messages WHERE id = $1 RETURNING *)
INSERT INTO messages (queue, kind, priority, run_at, key, payload, dedup, max_attempts, trace)
SELECT queue, kind, priority, clock_timestamp(), key, payload, dedup, max_attempts, trace FROM gone
ON CONFLICT (queue, dedup) WHERE dedup IS NOT NULL AND lease_token IS NULL DO UPDATE SET run_at = EXCLUDED.run_at
"""


async def enqueue(
    conn: Connection,
    *,
    queue: str,
    kind: str,
    payload: bytes,
    priority: Priority = Priority.NORMAL,
    key: bytes | None = None,
    dedup: str | None = None,
    delay: float = 0.0,
    max_attempts: int | None = None,
    trace: str | None = None,
) -> None:
    """Put a message on `queue`, to be run `delay` seconds from now; stands or falls with the caller's transaction."""
    await conn.execute(_ENQUEUE, queue, kind, int(priority), delay, key, payload, dedup, max_attempts, trace)


async def claim(pool: Pool, queues: Sequence[str], lease: float) -> Claimed | None:
    """Take the most urgent message that is due, for `lease` seconds; None when there is none."""
    try:
        async with connection(pool) as conn:
            row = await conn.fetchrow(_CLAIM, list(queues), lease)
    except asyncpg.UniqueViolationError:
        return None  # another worker took a message of the same key in the same moment
    if row is None:
        return None
    return Claimed(
        id=row["id"],
        queue=row["queue"],
        kind=row["kind"],
        key=row["key"],
        payload=row["payload"],
        dedup=row["dedup"],
        attempts=row["attempts"],
        max_attempts=row["max_attempts"],
        token=row["lease_token"],
        trace=row["trace"],
    )


async def finish(conn: Connection, claimed: Claimed) -> None:
    """Remove the message; call it in the transaction that writes the result.

    Raises:
        LostLease: the lease ended and the message is somebody else's: let the transaction fail.
    """
    if await conn.execute(_FINISH, claimed.id, claimed.token) != "DELETE 1":
        raise LostLease(f"message {claimed.id}")


async def retry_later(pool: Pool, claimed: Claimed, error: str, delay: float) -> None:
    """Give the message back, due in `delay` seconds."""
    async with transaction(pool) as conn:
        if claimed.dedup is not None and await conn.fetchval(_HAS_TWIN, claimed.queue, claimed.dedup):
            await conn.execute(_FINISH, claimed.id, claimed.token)
            return
        await conn.execute(_RETRY, claimed.id, claimed.token, error, delay)


async def bury(pool: Pool, claimed: Claimed, error: str) -> None:
    """Move the message to the dead letters, with what broke it."""
    async with connection(pool) as conn:
        await conn.execute(_DIE, claimed.id, claimed.token, error)


async def renew(pool: Pool, claimed: Claimed, lease: float) -> bool:
    """Keep the message for `lease` seconds more; False when it is not ours any more."""
    async with connection(pool) as conn:
        renewed: str = await conn.execute(_RENEW, claimed.id, claimed.token, lease)
    return renewed == "UPDATE 1"


async def sweep_expired(pool: Pool) -> None:
    """Hand out again what dead workers held."""
    async with transaction(pool) as conn:
        await conn.execute(_SWEEP_FOLDED)
        await conn.execute(_SWEEP)


async def load_depth(conn: Connection) -> list[QueueDepth]:
    """Return how much waits, for each queue that holds anything."""
    return [
        QueueDepth(
            queue=row["queue"],
            ready=row["ready"],
            delayed=row["delayed"],
            leased=row["leased"],
            oldest_seconds=row["oldest"],
        )
        for row in await conn.fetch(_DEPTH)
    ]


async def load_dead(conn: Connection, message_id: int | None = None, limit: int = 100) -> list[DeadMessage]:
    """Return dead letters, newest first, or the one with this id."""
    return [DeadMessage(**dict(row)) for row in await conn.fetch(_DEAD, message_id, limit)]


async def retry_dead(conn: Connection, message_id: int) -> None:
    """Put a dead letter back on its queue.

    Raises:
        NotFound: `NO_SUCH_MESSAGE`.
    """
    if await conn.execute(_REVIVE, message_id) == "INSERT 0 0":
        raise _no_such(message_id)


async def drop_dead(conn: Connection, message_id: int) -> None:
    """Delete a dead letter for good.

    Raises:
        NotFound: `NO_SUCH_MESSAGE`.
    """
    if await conn.execute("DELETE FROM dead_messages WHERE id = $1", message_id) != "DELETE 1":
        raise _no_such(message_id)


def _no_such(message_id: int) -> NotFound:
    return NotFound("NO_SUCH_MESSAGE", f"no dead message {message_id}", hint="see `bmn queue dead list`")
