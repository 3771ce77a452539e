"""What happens to swaps, in order and without a gap, for any process and from any point on.

The changes are read from the history itself, so nothing is ever dropped for a slow reader: it reads on when it likes.
Each has a number, drawn while its transaction was still open, so a smaller number may be committed after a greater one.
Therefore a reader never passes a number that is missing until nobody is left who could bring it.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias, assert_never

import asyncpg

from bmn.core.errors import BadInput, TransientError
from bmn.core.swap import State
from bmn.core.units import ChainId, Hashlock, OrderHash, Secret
from bmn.pg.pool import Pool, connection
from bmn.pg.wake import Wake, wait_for
from bmn.seams import Clock

_POLL_SECONDS: Final = 0.4
_PAUSE_SECONDS: Final = 0.1
_PAGE: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCreated:
    """`order.created`: an order was accepted; its swap is at version 1."""

    number: int
    """Where the feed goes on from."""
    hashlock: Hashlock
    order_hash: OrderHash
    at: datetime
    state: State
    reason: str
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderUpdated:
    """`order.updated`: a swap has another state, or another reason for it. Versions of one swap come in order."""

    number: int
    hashlock: Hashlock
    order_hash: OrderHash
    at: datetime
    version: int
    before: State
    state: State
    reason: str
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretRevealed:
    """`secret.revealed`: a maker handed the secret to us, or a chain told it to everybody; once for each of these."""

    number: int
    hashlock: Hashlock
    order_hash: OrderHash
    at: datetime
    chain_id: ChainId | None
    """Which chain told it; None: its maker, and then only to us."""
    secret: Secret | None
    """Set exactly when a chain told it."""


OrderEvent: TypeAlias = OrderCreated | OrderUpdated | SecretRevealed


def name_of(event: OrderEvent) -> str:
    """Return the name by which readers outside know this kind of event."""
    match event:
        case OrderCreated():
            return "order.created"
        case OrderUpdated():
            return "order.updated"
        case SecretRevealed():
            return "secret.revealed"
        case _:
            assert_never(event)


_READ = """
SELECT f.*, o.order_hash, told.secret
FROM (
    (SELECT number, hashlock, at, version, before, after, reason, actor, NULL::bigint AS chain_id
     FROM swap_events WHERE number > $1 ORDER BY number LIMIT $2)
    UNION ALL
    (SELECT number, hashlock, at, NULL, NULL, NULL, NULL, NULL, chain_id
     FROM secret_events WHERE number > $1 ORDER BY number LIMIT $2)
    ORDER BY number LIMIT $2
) f
JOIN orders o USING (hashlock)
LEFT JOIN LATERAL (
    SELECT secret FROM journal
    WHERE f.chain_id IS NOT NULL AND journal.hashlock = f.hashlock AND journal.secret IS NOT NULL LIMIT 1
) told ON true
ORDER BY f.number
"""

_LAST = "SELECT GREATEST((SELECT max(number) FROM swap_events), (SELECT max(number) FROM secret_events), 0)"

# A transaction id of our own is greater than that of anybody who has drawn a number so far.
_NEXT_TRANSACTION = "SELECT pg_current_xact_id()::text::bigint"
_OLDEST_TRANSACTION = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"


class Feed:
    """How far one reader is."""

    def __init__(self, pool: Pool, woken: asyncio.Event, clock: Clock, *, after: int) -> None:
        self._pool = pool
        self._woken = woken
        self._clock = clock
        self._last = after
        self._gap: _Gap | None = None

    @property
    def last(self) -> int:
        """Number of the last event that was read; the feed goes on from it, here or with another reader."""
        return self._last

    async def read(self, seconds: float) -> list[OrderEvent]:
        """Return the next events, at most a hundred; none when none came within about `seconds`."""
        give_up = self._clock.monotonic() + seconds
        while True:
            self._woken.clear()  # before the look: what comes in during it wakes us again
            with suppress(TransientError):  # the database is away: it waits
                found = await self.look()
                if found:
                    return found
            left = give_up - self._clock.monotonic()
            if left <= 0:
                return []
            await wait_for(self._woken, min(left, _PAUSE_SECONDS if self._gap else _POLL_SECONDS))
            await self._clock.sleep(_PAUSE_SECONDS)  # wake-ups come for every message of every swap

    async def look(self) -> list[OrderEvent]:
        """Return what comes next, as far as it is certain by now.

        Raises:
            TransientError: the database is away.
        """
        async with connection(self._pool) as conn:
            gap, last = self._gap, self._last
            settled = gap.top if gap and await conn.fetchval(_OLDEST_TRANSACTION) >= gap.until else 0
            rows = await conn.fetch(_READ, last, _PAGE)
            for row in rows:
                if row["number"] != last + 1 and row["number"] > settled:
                    break
                last = row["number"]
            if not rows or rows[-1]["number"] == last:
                self._gap = None
            elif gap is None or settled:
                self._gap = _Gap(top=rows[-1]["number"], until=await conn.fetchval(_NEXT_TRANSACTION))
        self._last = last
        return [_event(row) for row in rows if row["number"] <= last]


@dataclass(slots=True)
class _Gap:
    """Numbers up to `top` that are missing will not come any more once every transaction before `until` has ended."""

    top: int
    until: int


@asynccontextmanager
async def open_feed(pool: Pool, wake: Wake, clock: Clock, *, after: int | None = None) -> AsyncIterator[Feed]:
    """Yield a reader of the events after the one of that number; None: of those committed from now on.

    Events of one swap come in order, each once; those of another process with its wake-up, or within half a second.

    Raises:
        BadInput: `BAD_EVENT_ID`: no event has come so far; the database was put back to an older state.
        TransientError: the database is away.
    """
    woken = wake.subscribe()
    try:
        if after is None:
            after = await _settled_end(pool, clock)
        else:
            await _check_reached(pool, after)
        yield Feed(pool, woken, clock, after=after)
    finally:
        wake.unsubscribe(woken)


@asynccontextmanager
async def watch_swaps(
    pool: Pool, wake: Wake, clock: Clock, *, after: int | None = None
) -> AsyncIterator[AsyncIterator[OrderEvent]]:
    """Yield the same, one by one and for ever."""
    async with open_feed(pool, wake, clock, after=after) as feed, aclosing(_events(feed)) as events:
        yield events


async def _events(feed: Feed) -> AsyncGenerator[OrderEvent, None]:
    while True:
        for event in await feed.read(_POLL_SECONDS):
            yield event


async def _check_reached(pool: Pool, number: int) -> None:
    async with connection(pool) as conn:
        last: int = await conn.fetchval(_LAST)
    if number > last:
        raise BadInput(
            "BAD_EVENT_ID",
            f"there is no event {number} yet, the last is {last}",
            hint="begin with 0, which reads all, or without a number",
        )


async def _settled_end(pool: Pool, clock: Clock) -> int:
    """Return the last number now, once nobody can bring a smaller one any more."""
    async with connection(pool) as conn:
        last: int = await conn.fetchval(_LAST)
        until = await conn.fetchval(_NEXT_TRANSACTION)
    while True:
        async with connection(pool) as conn:
            if await conn.fetchval(_OLDEST_TRANSACTION) >= until:
                return last
        await clock.sleep(_PAUSE_SECONDS)  # without a connection in hand: others need them for money


def _event(row: asyncpg.Record) -> OrderEvent:
    number, at = row["number"], row["at"]
    hashlock, order_hash = Hashlock(row["hashlock"]), OrderHash(row["order_hash"])
    if row["version"] is None:
        chain, secret = row["chain_id"], row["secret"]
        return SecretRevealed(
            number=number,
            hashlock=hashlock,
            order_hash=order_hash,
            at=at,
            chain_id=None if chain is None else ChainId(chain),
            secret=None if chain is None else Secret(secret),
        )
    state, reason, actor = State(row["after"]), row["reason"], row["actor"]
    if row["before"] is None:
        return OrderCreated(
            number=number, hashlock=hashlock, order_hash=order_hash, at=at, state=state, reason=reason, actor=actor
        )
    return OrderUpdated(
        number=number,
        hashlock=hashlock,
        order_hash=order_hash,
        at=at,
        version=row["version"],
        before=State(row["before"]),
        state=state,
        reason=reason,
        actor=actor,
    )
