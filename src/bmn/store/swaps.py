"""Where each swap stands by our last decision, and how it came there. An index over facts, never a fact."""

from dataclasses import dataclass

import asyncpg

from bmn.core.errors import TransientError
from bmn.core.swap import Decision, State
from bmn.core.units import ChainId, Hashlock, OrderHash, UnixTime
from bmn.pg.pool import Connection

_CREATE = """
WITH swap AS (
    INSERT INTO swaps (hashlock, src_chain, dst_chain, state, reason, version, terminal)
    VALUES ($1, $2, $3, 'ACCEPTED', 'ORDER_ACCEPTED', 1, false) RETURNING hashlock)
INSERT INTO swap_events (hashlock, version, before, after, reason, actor)
SELECT hashlock, 1, NULL, 'ACCEPTED', 'ORDER_ACCEPTED', $4 FROM swap
"""

_LOAD = """
SELECT s.hashlock, o.order_hash, s.src_chain, s.dst_chain, s.state, s.reason, s.version, s.reveal_until
FROM swaps s JOIN orders o USING (hashlock)
"""

_UPDATE = """
UPDATE swaps SET state = $3, reason = $4, wake_src = $5, wake_dst = $6, reveal_until = $7, terminal = $8,
                 version = version + $9, updated_at = clock_timestamp()
WHERE hashlock = $1 AND version = $2
"""

_HISTORY = """
INSERT INTO swap_events (hashlock, version, before, after, reason, actor) VALUES ($1, $2, $3, $4, $5, $6)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSwap:
    """One row."""

    hashlock: Hashlock
    order_hash: OrderHash
    src_chain: ChainId
    dst_chain: ChainId
    state: State
    reason: str
    version: int
    reveal_until: UnixTime | None
    """Destination second before which a secret is taken; None: no secret is wanted."""


async def create_swap(conn: Connection, hashlock: Hashlock, src: ChainId, dst: ChainId, *, actor: str) -> None:
    """Begin a swap in state ACCEPTED."""
    await conn.execute(_CREATE, hashlock, src, dst, actor)


async def load_swap(conn: Connection, hashlock: Hashlock) -> StoredSwap | None:
    """Return the swap, or None."""
    row = await conn.fetchrow(_LOAD + " WHERE s.hashlock = $1", hashlock)
    return None if row is None else _swap(row)


async def load_swaps(conn: Connection, state: State | None = None, limit: int = 100) -> list[StoredSwap]:
    """Return swaps, newest first, of one state or of all."""
    rows = await conn.fetch(
        _LOAD + " WHERE $1::text IS NULL OR s.state = $1 ORDER BY o.received_at DESC LIMIT $2",
        None if state is None else state.value,
        limit,
    )
    return [_swap(row) for row in rows]


async def count_swaps(conn: Connection) -> dict[str, int]:
    """Return how many swaps are in each state that any is in."""
    rows = await conn.fetch("SELECT state, count(*) AS swaps FROM swaps GROUP BY state ORDER BY state")
    return {row["state"]: row["swaps"] for row in rows}


async def load_open_hashlocks(conn: Connection, idle_seconds: float, limit: int = 1000) -> list[Hashlock]:
    """Return swaps that are not terminal and were not looked at for `idle_seconds`, the longest idle first."""
    rows = await conn.fetch(
        """
        SELECT hashlock FROM swaps WHERE NOT terminal AND updated_at < clock_timestamp() - make_interval(secs => $1)
        ORDER BY updated_at LIMIT $2
        """,
        idle_seconds,
        limit,
    )
    return [Hashlock(row["hashlock"]) for row in rows]


async def save_decision(conn: Connection, swap: StoredSwap, decision: Decision, *, actor: str) -> bool:
    """Store what was decided; a change of state or reason makes a new version. Return whether it changed.

    Raises:
        TransientError: `SWAP_CHANGED`: somebody else decided meanwhile; the transaction must not stand.
    """
    changed = (decision.state, decision.reason) != (swap.state, swap.reason)
    updated: str = await conn.execute(
        _UPDATE,
        swap.hashlock,
        swap.version,
        decision.state.value,
        decision.reason,
        decision.wake_src,
        decision.wake_dst,
        decision.reveal_until,
        decision.state.is_terminal,
        int(changed),
    )
    if updated != "UPDATE 1":
        raise TransientError("SWAP_CHANGED", f"swap {swap.hashlock} changed while it was being decided")
    if changed:
        await conn.execute(
            _HISTORY,
            swap.hashlock,
            swap.version + 1,
            swap.state.value,
            decision.state.value,
            decision.reason,
            actor,
        )
    return changed


def _swap(row: asyncpg.Record) -> StoredSwap:
    return StoredSwap(
        hashlock=Hashlock(row["hashlock"]),
        order_hash=OrderHash(row["order_hash"]),
        src_chain=ChainId(row["src_chain"]),
        dst_chain=ChainId(row["dst_chain"]),
        state=State(row["state"]),
        reason=row["reason"],
        version=row["version"],
        reveal_until=None if row["reveal_until"] is None else UnixTime(row["reveal_until"]),
    )
