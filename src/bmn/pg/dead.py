"""What people see of the queue: how much waits, and the messages that were given up."""

from dataclasses import dataclass, field
from datetime import datetime

from bmn.core.errors import NotFound
from bmn.pg.pool import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueDepth:
    """How much waits on one queue."""

    queue: str
    ready: int
    delayed: int
    leased: int
    dead: int
    oldest_seconds: float
    """How long the oldest ready message has been due; 0 when there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadMessage:
    """A message that was given up, with what broke it."""

    id: int
    queue: str
    kind: str
    priority: int
    key: bytes | None
    payload: bytes = field(repr=False)
    attempts: int
    code: str
    """Of the last failure."""
    error: str
    """Of the last failure, for people."""
    trace: str | None
    """Where the message came from."""
    created_at: datetime
    first_failed_at: datetime
    died_at: datetime
    """When it failed the last time."""


_DEPTH = """
SELECT queue, sum(ready)::int AS ready, sum(delayed)::int AS delayed, sum(leased)::int AS leased,
       sum(dead)::int AS dead,
       coalesce(extract(epoch FROM clock_timestamp() - min(oldest)), 0)::float8 AS oldest_seconds
FROM (
    SELECT queue, count(*) FILTER (WHERE lease_token IS NULL AND run_at <= statement_timestamp()) AS ready,
           count(*) FILTER (WHERE lease_token IS NULL AND run_at > statement_timestamp()) AS delayed,
           count(*) FILTER (WHERE lease_token IS NOT NULL) AS leased, 0 AS dead,
           min(run_at) FILTER (WHERE lease_token IS NULL AND run_at <= statement_timestamp()) AS oldest
    FROM messages GROUP BY queue
    UNION ALL
    SELECT queue, 0, 0, 0, count(*), NULL FROM dead_messages GROUP BY queue
) AS counted
GROUP BY queue ORDER BY queue
"""


async def load_depth(conn: Connection) -> list[QueueDepth]:
    """Return how much waits, for each queue that holds anything, by name."""
    return [QueueDepth(**dict(row)) for row in await conn.fetch(_DEPTH)]


_DEAD = """
SELECT id, queue, kind, priority, key, payload, attempts, code, error, trace, created_at,
       coalesce(first_failed_at, died_at) AS first_failed_at, died_at
FROM dead_messages
WHERE $1::bigint IS NULL OR id = $1
ORDER BY died_at DESC, id DESC LIMIT $2
"""


async def load_dead(conn: Connection, message_id: int | None = None, *, limit: int = 100) -> list[DeadMessage]:
    """Return the dead messages, the latest first, or the one of that id, if it is there."""
    return [DeadMessage(**dict(row)) for row in await conn.fetch(_DEAD, message_id, limit)]


_RETRY = """
WITH gone AS (DELETE FROM dead_messages WHERE id = $1 RETURNING *)
INSERT INTO messages (queue, kind, priority, run_at, key, payload, dedup, max_attempts, last_error, trace)
SELECT queue, kind, priority, clock_timestamp(), key, payload, dedup, max_attempts, error, trace FROM gone
ON CONFLICT (queue, dedup) WHERE dedup IS NOT NULL AND lease_token IS NULL
DO UPDATE SET run_at = LEAST(messages.run_at, EXCLUDED.run_at),
              priority = GREATEST(messages.priority, EXCLUDED.priority)
"""


async def retry_dead(conn: Connection, message_id: int) -> None:
    """Put a dead message back on its queue with all its attempts; folds into a waiting duplicate.

    Raises:
        NotFound: `NO_SUCH_MESSAGE`.
    """
    if await conn.execute(_RETRY, message_id) != "INSERT 0 1":
        raise _no_such(message_id)


async def drop_dead(conn: Connection, message_id: int) -> None:
    """Delete a dead message for good.

    Raises:
        NotFound: `NO_SUCH_MESSAGE`.
    """
    if await conn.execute("DELETE FROM dead_messages WHERE id = $1", message_id) != "DELETE 1":
        raise _no_such(message_id)


def _no_such(message_id: int) -> NotFound:
    return NotFound("NO_SUCH_MESSAGE", f"no dead message {message_id}", hint="see `bmn queue dead list`")
