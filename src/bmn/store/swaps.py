"""Where each swap stands by our last decision, and how it came there. An index over facts, never a fact."""

from dataclasses import dataclass

import asyncpg

from bmn.core.errors import InvariantViolation, TransientError
from bmn.core.moves import may_follow
from bmn.core.swap import Decision, State
from bmn.core.units import Address, ChainId, Hashlock, OrderHash, UnixTime
from bmn.pg.pool import Connection

_CREATE = """
WITH swap AS (
    INSERT INTO swaps (hashlock, src_chain, dst_chain, state, reason, version, terminal)
    VALUES ($1, $2, $3, 'ACCEPTED', 'ORDER_ACCEPTED', 1, false) RETURNING hashlock)
INSERT INTO swap_events (hashlock, version, before, after, reason, actor)
SELECT hashlock, 1, NULL, 'ACCEPTED', 'ORDER_ACCEPTED', $4 FROM swap
"""

_FIELDS = "s.hashlock, s.order_hash, s.number, s.src_chain, s.dst_chain, s.state, s.reason, s.version, s.reveal_until"

_LOAD = f"SELECT {_FIELDS} FROM swaps s WHERE s.hashlock = $1"  # noqa: S608 - ours

# Each list reads its index from where the last page ended, no further than the page is long.
_NEWEST = f"""
SELECT {_FIELDS} FROM orders o JOIN swaps s USING (hashlock) WHERE o.number < $1 ORDER BY o.number DESC LIMIT $2
"""  # noqa: S608 - same

_IN_STATE = f"""
SELECT {_FIELDS} FROM swaps s WHERE s.state = $1 AND s.number < $2 ORDER BY s.number DESC LIMIT $3
"""  # noqa: S608 - same

_OPEN = f"""
SELECT {_FIELDS} FROM swaps s WHERE NOT s.terminal AND s.number < $1 ORDER BY s.number DESC LIMIT $2
"""  # noqa: S608 - same

_OF_MAKER = f"""
SELECT {_FIELDS} FROM orders o JOIN swaps s USING (hashlock)
WHERE o.maker = $1 AND o.number < $2 ORDER BY o.number DESC LIMIT $3
"""  # noqa: S608 - same

_DUE = f"""
(SELECT {_FIELDS}, s.wake_src AS due_at FROM swaps s
 WHERE s.src_chain = $1 AND s.wake_src IS NOT NULL AND (s.wake_src, s.number) > ($2, $3)
 ORDER BY s.wake_src, s.number LIMIT $4)
UNION ALL
(SELECT {_FIELDS}, s.wake_dst AS due_at FROM swaps s
 WHERE s.dst_chain = $1 AND s.wake_dst IS NOT NULL AND (s.wake_dst, s.number) > ($2, $3)
 ORDER BY s.wake_dst, s.number LIMIT $4)
ORDER BY due_at, number LIMIT $4
"""  # noqa: S608 - same

_IDLE = """
SELECT hashlock FROM swaps WHERE NOT terminal AND updated_at < clock_timestamp() - make_interval(secs => $1)
ORDER BY updated_at LIMIT $2
"""

# One statement, so one round trip; and where nothing but wakes and `updated_at` change, no index is written.
_SAVE = """
WITH moved AS (
    UPDATE swaps SET state = $3, reason = $4, wake_src = $5, wake_dst = $6, reveal_until = $7, terminal = $8,
                     version = version + $9, updated_at = clock_timestamp()
    WHERE hashlock = $1 AND version = $2 RETURNING hashlock, version),
told AS (
    INSERT INTO swap_events (hashlock, version, before, after, reason, actor)
    SELECT hashlock, version, $10, $3, $4, $11 FROM moved WHERE $9 = 1)
SELECT count(*) FROM moved
"""

_NEWEST_OF_ALL = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSwap:
    """One row."""

    hashlock: Hashlock
    order_hash: OrderHash
    number: int
    """Where it stands among all, in the order they came in; lists go on from it."""
    src_chain: ChainId
    dst_chain: ChainId
    state: State
    reason: str
    version: int
    reveal_until: UnixTime | None
    """Destination second before which a secret is taken; None: no secret is wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DueSwap:
    """A swap with a deadline on one chain."""

    swap: StoredSwap
    due_at: UnixTime
    """Time of that chain from which something is to be decided or done."""


async def create_swap(conn: Connection, hashlock: Hashlock, src: ChainId, dst: ChainId, *, actor: str) -> None:
    """Begin a swap in state ACCEPTED."""
    await conn.execute(_CREATE, hashlock, src, dst, actor)


async def load_swap(conn: Connection, hashlock: Hashlock) -> StoredSwap | None:
    """Return the swap, or None."""
    row = await conn.fetchrow(_LOAD, hashlock)
    return None if row is None else _swap(row)


async def load_swaps(conn: Connection, *, limit: int = 100, below: int | None = None) -> list[StoredSwap]:
    """Return swaps, newest first; the next page is `below` the number of the last."""
    return _swaps(await conn.fetch(_NEWEST, _from(below), limit))


async def load_swaps_in(
    conn: Connection, state: State, *, limit: int = 100, below: int | None = None
) -> list[StoredSwap]:
    """Return the swaps in a state, newest first."""
    return _swaps(await conn.fetch(_IN_STATE, state.value, _from(below), limit))


async def load_open_swaps(conn: Connection, *, limit: int = 100, below: int | None = None) -> list[StoredSwap]:
    """Return the swaps that are not terminal, newest first."""
    return _swaps(await conn.fetch(_OPEN, _from(below), limit))


async def load_swaps_of(
    conn: Connection, maker: Address, *, limit: int = 100, below: int | None = None
) -> list[StoredSwap]:
    """Return the swaps of a maker, newest first."""
    return _swaps(await conn.fetch(_OF_MAKER, maker, _from(below), limit))


async def load_swaps_due(
    conn: Connection, chain_id: ChainId, *, limit: int = 100, above: DueSwap | None = None
) -> list[DueSwap]:
    """Return the swaps with a deadline on a chain, by its own clock, soonest first; the next page is `above` the last.

    A swap has a deadline on each of its chains; clocks of two chains say nothing about each other, so ask for each.
    """
    after = (-1, -1) if above is None else (above.due_at, above.swap.number)
    rows = await conn.fetch(_DUE, chain_id, *after, limit)
    return [DueSwap(swap=_swap(row), due_at=UnixTime(row["due_at"])) for row in rows]


async def count_swaps(conn: Connection) -> dict[str, int]:
    """Return how many swaps are in each state that any is in."""
    rows = await conn.fetch("SELECT state, count(*) AS swaps FROM swaps GROUP BY state ORDER BY state")
    return {row["state"]: row["swaps"] for row in rows}


async def load_open_hashlocks(conn: Connection, idle_seconds: float, limit: int = 1000) -> list[Hashlock]:
    """Return swaps that are not terminal and were not looked at for `idle_seconds`, the longest idle first."""
    rows = await conn.fetch(_IDLE, idle_seconds, limit)
    return [Hashlock(row["hashlock"]) for row in rows]


async def save_decision(conn: Connection, swap: StoredSwap, decision: Decision, *, actor: str) -> bool:
    """Store what was decided; a change of state or reason makes a new version. Return whether it changed.

    Raises:
        TransientError: `SWAP_CHANGED`: somebody else decided meanwhile; the transaction must not stand.
        InvariantViolation: `ILLEGAL_MOVE`: no facts lead from one state to the other.
    """
    if not may_follow(swap.state, decision.state):
        raise InvariantViolation(
            "ILLEGAL_MOVE", f"swap {swap.hashlock} cannot go from {swap.state.value} to {decision.state.value}"
        )
    changed = (decision.state, decision.reason) != (swap.state, swap.reason)
    saved = await conn.fetchval(
        _SAVE,
        swap.hashlock,
        swap.version,
        decision.state.value,
        decision.reason,
        decision.wake_src,
        decision.wake_dst,
        decision.reveal_until,
        decision.state.is_terminal,
        int(changed),
        swap.state.value,
        actor,
    )
    if saved != 1:
        raise TransientError("SWAP_CHANGED", f"swap {swap.hashlock} changed while it was being decided")
    return changed


def _from(below: int | None) -> int:
    return _NEWEST_OF_ALL if below is None else below


def _swaps(rows: list[asyncpg.Record]) -> list[StoredSwap]:
    return [_swap(row) for row in rows]


def _swap(row: asyncpg.Record) -> StoredSwap:
    return StoredSwap(
        hashlock=Hashlock(row["hashlock"]),
        order_hash=OrderHash(row["order_hash"]),
        number=row["number"],
        src_chain=ChainId(row["src_chain"]),
        dst_chain=ChainId(row["dst_chain"]),
        state=State(row["state"]),
        reason=row["reason"],
        version=row["version"],
        reveal_until=None if row["reveal_until"] is None else UnixTime(row["reveal_until"]),
    )
