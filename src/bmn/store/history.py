"""How each swap came to where it stands: every version with who made it and why. Rows are added, never changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from bmn.core.errors import InvariantViolation
from bmn.core.moves import may_follow
from bmn.core.swap import State
from bmn.core.units import Hashlock
from bmn.pg.pool import Connection
from bmn.store.swaps import StoredSwap


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapEvent:
    """One change of one swap."""

    version: int
    """1, then one more each time."""
    at: datetime
    """By the database's clock."""
    before: State | None
    """None: the swap began."""
    after: State
    reason: str
    """The rule that decided it, as a stable code."""
    actor: str
    """Who recorded it: `maker`, `resolver`, …"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a swap stands."""

    state: State
    reason: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A swap whose row is not what its history says."""

    hashlock: Hashlock
    detail: str


_LOAD = "SELECT version, at, before, after, reason, actor FROM swap_events WHERE hashlock = $1 ORDER BY version"

_BROKEN = """
WITH chained AS (
    SELECT hashlock, version, before, after, reason,
           lag(version) OVER told AS last_version, lag(after) OVER told AS last_after,
           lead(version) OVER told IS NULL AS is_last
    FROM swap_events WINDOW told AS (PARTITION BY hashlock ORDER BY version))
SELECT hashlock, 'version ' || version || ' does not follow the one before it' AS detail FROM chained
WHERE version <> coalesce(last_version, 0) + 1 OR before IS DISTINCT FROM last_after
UNION ALL
SELECT s.hashlock, 'the swap is ' || s.state || ' at version ' || s.version || ', its history says otherwise'
FROM swaps s LEFT JOIN chained c ON c.hashlock = s.hashlock AND c.is_last
WHERE (s.version, s.state, s.reason) IS DISTINCT FROM (c.version, c.after, c.reason)
LIMIT $1
"""


async def load_history(conn: Connection, hashlock: Hashlock) -> list[SwapEvent]:
    """Return every change of a swap, oldest first."""
    return [_event(row) for row in await conn.fetch(_LOAD, hashlock)]


def replay(events: Sequence[SwapEvent]) -> Standing:
    """Return where a swap stands after `events`, all of its history.

    Raises:
        InvariantViolation: `HISTORY_BROKEN`: none, a gap, one that does not follow, or a move that cannot be.
    """
    state, reason = None, ""
    for version, event in enumerate(events, start=1):
        if (event.version, event.before) != (version, state) or not may_follow(event.before, event.after):
            raise InvariantViolation("HISTORY_BROKEN", f"version {event.version} does not follow the one before it")
        state, reason = event.after, event.reason
    if state is None:
        raise InvariantViolation("HISTORY_BROKEN", "there is no history")
    return Standing(state=state, reason=reason, version=len(events))


def find_fault(swap: StoredSwap, events: Sequence[SwapEvent]) -> str | None:
    """Return why `events` do not lead to where `swap` stands, None when they do."""
    try:
        standing = replay(events)
    except InvariantViolation as error:
        return error.detail
    if standing == Standing(state=swap.state, reason=swap.reason, version=swap.version):
        return None
    return f"the swap is {swap.state.value} at version {swap.version}, its history says otherwise"


async def check_history(conn: Connection, limit: int = 100) -> list[Broken]:
    """Return swaps whose row is not what their history says; none when all is well. Reads both tables whole."""
    return [
        Broken(hashlock=Hashlock(row["hashlock"]), detail=row["detail"]) for row in await conn.fetch(_BROKEN, limit)
    ]


def _event(row: asyncpg.Record) -> SwapEvent:
    return SwapEvent(
        version=row["version"],
        at=row["at"],
        before=None if row["before"] is None else State(row["before"]),
        after=State(row["after"]),
        reason=row["reason"],
        actor=row["actor"],
    )
