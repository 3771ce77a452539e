"""How much waits on the queues, for people and as metrics."""

from collections.abc import Sequence
from dataclasses import dataclass

from bmn.core.errors import TransientError
from bmn.observe import engine as observe
from bmn.pg.pool import Connection, Pool, connection
from bmn.seams import Clock

_EVERY_SECONDS = 5.0


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
    UNION ALL
    SELECT queue, 0, 0, 0, 0, NULL FROM unnest($1::text[]) AS named (queue)
) AS counted
GROUP BY queue ORDER BY queue
"""


async def load_depth(conn: Connection, queues: Sequence[str] = ()) -> list[QueueDepth]:
    """Return how much waits, by name, for each of `queues` and every other that holds anything."""
    return [QueueDepth(**dict(row)) for row in await conn.fetch(_DEPTH, list(queues))]


async def run_depth(pool: Pool, queues: Sequence[str], clock: Clock) -> None:
    """Keep the metrics of `queues`, and of every other that ever held anything, fresh until cancelled."""
    while True:
        try:
            async with connection(pool) as conn:
                found = await load_depth(conn, queues)
        except TransientError as error:
            observe.worker_waits(error.code)
        else:
            queues = [depth.queue for depth in found]  # one that was measured once must go back to nothing
            for depth in found:
                _measure(depth)
        await clock.sleep(_EVERY_SECONDS)


def _measure(depth: QueueDepth) -> None:
    counts = {"ready": depth.ready, "delayed": depth.delayed, "leased": depth.leased, "dead": depth.dead}
    observe.queue_measured(depth.queue, counts, depth.oldest_seconds)
