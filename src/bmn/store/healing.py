"""Swaps whose row cannot be right, found without asking a chain, and put back to what their history says.

A row is an index over facts: putting it back is safe, and the next look at the swap decides it from the facts again.
"""

from dataclasses import dataclass

from bmn.core.swap import State
from bmn.core.units import Hashlock
from bmn.pg.pool import Connection

_TERMINAL = [state.value for state in State if state.is_terminal]


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """A swap to look at again, over or not."""

    hashlock: Hashlock
    contradicts_history: bool
    """Its state is not the one last recorded."""


# A swap that is over while an escrow of its order still holds something is over by mistake; a loss may leave one.
_SUSPECTS = """
WITH looked_at AS (
    SELECT hashlock, order_hash, version, state, reason, terminal FROM swaps WHERE NOT terminal
    UNION ALL
    SELECT hashlock, order_hash, version, state, reason, terminal FROM swaps
    WHERE terminal AND hashlock >= $1 AND ($2::bytea IS NULL OR hashlock < $2))
SELECT s.hashlock, (s.version, s.state, s.reason) IS DISTINCT FROM (e.version, e.after, e.reason) AS contradicts_history
FROM looked_at s
LEFT JOIN LATERAL (
    SELECT version, after, reason FROM swap_events WHERE hashlock = s.hashlock ORDER BY version DESC LIMIT 1) e ON true
LEFT JOIN LATERAL (
    SELECT true AS is_there FROM escrows x
    WHERE s.terminal AND s.state <> 'LOSS'
      AND (x.hashlock, x.order_hash) = (s.hashlock, s.order_hash) AND x.orphaned_at IS NULL
      AND NOT EXISTS (
          SELECT FROM journal j
          WHERE j.hashlock = s.hashlock AND j.chain_id = x.chain_id AND j.emitter = x.address
            AND j.orphaned_at IS NULL AND j.kind IN ('escrow_withdrawal', 'escrow_cancelled'))
    LIMIT 1) holding ON true  -- by index, swap by swap: as a condition it becomes a scan of all escrows
WHERE (s.version, s.state, s.reason) IS DISTINCT FROM (e.version, e.after, e.reason)
   OR s.terminal <> (s.state = ANY ($3::text[]))
   OR holding.is_there
ORDER BY s.hashlock
"""


async def load_suspects(conn: Connection, low: bytes, high: bytes | None) -> list[Suspect]:
    """Return what cannot be right among all open swaps, and among finished ones with hashlocks in [`low`, `high`)."""
    rows = await conn.fetch(_SUSPECTS, low, high, _TERMINAL)
    return [Suspect(hashlock=Hashlock(row["hashlock"]), contradicts_history=row["contradicts_history"]) for row in rows]


_RESTORE = """
UPDATE swaps s SET state = e.after, reason = e.reason, version = e.version, terminal = e.after = ANY ($2::text[])
FROM swap_events e
WHERE s.hashlock = $1 AND e.hashlock = $1
  AND e.version = (SELECT max(version) FROM swap_events WHERE hashlock = $1)
  AND (s.version, s.state, s.reason) IS DISTINCT FROM (e.version, e.after, e.reason)
"""


async def restore_from_history(conn: Connection, hashlock: Hashlock) -> bool:
    """Put the row back to the last version in its history; return whether it was another."""
    return bool(await conn.execute(_RESTORE, hashlock, _TERMINAL) == "UPDATE 1")
