"""Messages that were given up: people list them, put them back on their queues, or drop them."""

from dataclasses import dataclass, field
from datetime import datetime

from bmn.core.errors import NotFound
from bmn.pg.pool import Connection
from bmn.pg.queue import FOLD


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


_WHICH = """
WHERE ($1::bigint IS NULL OR id = $1) AND ($2::text IS NULL OR queue = $2) AND ($3::text IS NULL OR kind = $3)
"""

_DEAD = f"""
SELECT id, queue, kind, priority, key, payload, attempts, code, error, trace, created_at,
       coalesce(first_failed_at, died_at) AS first_failed_at, died_at
FROM dead_messages {_WHICH}
ORDER BY died_at DESC, id DESC LIMIT $4
"""  # noqa: S608 - joined from constants


async def load_dead(
    conn: Connection,
    message_id: int | None = None,
    *,
    queue: str | None = None,
    kind: str | None = None,
    limit: int = 100,
) -> list[DeadMessage]:
    """Return the dead messages, the latest first; of one id, queue or kind where given."""
    return [DeadMessage(**dict(row)) for row in await conn.fetch(_DEAD, message_id, queue, kind, limit)]


_RETRY = f"""
WITH gone AS (DELETE FROM dead_messages {_WHICH} RETURNING *),
again AS (
    INSERT INTO messages (queue, kind, priority, run_at, key, payload, dedup, max_attempts, last_error, trace)
    -- One of those that fold into each other: a statement cannot update a row twice.
    SELECT DISTINCT ON (queue, dedup, CASE WHEN dedup IS NULL THEN id END)
           queue, kind, priority, clock_timestamp(), key, payload, dedup, max_attempts, error, trace
    FROM gone
    ORDER BY queue, dedup, CASE WHEN dedup IS NULL THEN id END, max_attempts DESC NULLS FIRST, id
    {FOLD}
)
SELECT count(*) FROM gone
"""  # noqa: S608 - same


async def retry_dead(conn: Connection, message_id: int) -> None:
    """Put a dead message back on its queue with all its attempts; folds into a waiting duplicate.

    Raises:
        NotFound: `NO_SUCH_MESSAGE`.
    """
    if not await conn.fetchval(_RETRY, message_id, None, None):
        raise _no_such(message_id)


async def retry_all_dead(conn: Connection, *, queue: str | None = None, kind: str | None = None) -> int:
    """Do so with every dead message, of one queue or kind where given; return how many it were."""
    return int(await conn.fetchval(_RETRY, None, queue, kind))


_DROP = f"WITH gone AS (DELETE FROM dead_messages {_WHICH} RETURNING id) SELECT count(*) FROM gone"  # noqa: S608 - same


async def drop_dead(conn: Connection, message_id: int) -> None:
    """Delete a dead message for good.

    Raises:
        NotFound: `NO_SUCH_MESSAGE`.
    """
    if not await conn.fetchval(_DROP, message_id, None, None):
        raise _no_such(message_id)


async def drop_all_dead(conn: Connection, *, queue: str | None = None, kind: str | None = None) -> int:
    """Delete every dead message for good, of one queue or kind where given; return how many it were."""
    return int(await conn.fetchval(_DROP, None, queue, kind))


def _no_such(message_id: int) -> NotFound:
    return NotFound("NO_SUCH_MESSAGE", f"no dead message {message_id}", hint="see: bmn queue dead list")
