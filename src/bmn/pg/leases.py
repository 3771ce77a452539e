"""Leases: one owner at a time, with a fencing token that makes a late writer harmless.

A lease only says who may start; what protects a write is `check_fence` in the same transaction. The database's clock
decides when a lease ends; its holder stops believing in it at two thirds of its length by its own monotonic clock.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from bmn.core.errors import TransientError
from bmn.observe import engine as observe
from bmn.pg.beside import running
from bmn.pg.errors import LostLease
from bmn.pg.pool import Connection, Pool, connection
from bmn.seams import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Ownership of a name."""

    name: str
    token: int
    """Greater than every token granted for this name before."""


# The token is drawn again in the update, which holds the row's lock: so it is greater than the one it replaces.
_ACQUIRE = """
INSERT INTO leases (name, holder, token, expires_at)
VALUES ($1, $2, nextval('fence'), clock_timestamp() + make_interval(secs => $3))
ON CONFLICT (name) DO UPDATE
SET holder = $2, token = nextval('fence'), expires_at = clock_timestamp() + make_interval(secs => $3)
WHERE leases.expires_at < clock_timestamp()
RETURNING token
"""


async def acquire(conn: Connection, name: str, holder: str, ttl: float) -> Lease | None:
    """Take `name` for `ttl` seconds, or None while somebody holds it, be it the same `holder`."""
    token = await conn.fetchval(_ACQUIRE, name, holder, ttl)
    return None if token is None else Lease(name=name, token=token)


_RENEW = """
UPDATE leases SET expires_at = clock_timestamp() + make_interval(secs => $3) WHERE name = $1 AND token = $2
"""


async def renew(conn: Connection, lease: Lease, ttl: float) -> bool:
    """Hold on for `ttl` seconds from now; False when it went to somebody else or was released."""
    return bool(await conn.execute(_RENEW, lease.name, lease.token, ttl) == "UPDATE 1")


# The row stays: a deleted one would let a slow first insert bring in a token older than the last.
_RELEASE = """
UPDATE leases SET expires_at = '-infinity', token = nextval('fence') WHERE name = $1 AND token = $2
"""


async def release(conn: Connection, lease: Lease) -> None:
    """Give it back at once; writes under its token are refused from now on. Nothing happens when it is not ours."""
    await conn.execute(_RELEASE, lease.name, lease.token)


_FENCE = "SELECT 1 FROM leases WHERE name = $1 AND token = $2 FOR SHARE"


async def check_fence(conn: Connection, lease: Lease) -> None:
    """Let a write stand only while no newer owner exists; call it inside the writing transaction.

    Until that ends nobody can take the lease over, however late we are.

    Raises:
        LostLease: a newer token was granted, or the lease was released.
    """
    if await conn.fetchval(_FENCE, lease.name, lease.token) is None:
        observe.write_fenced(lease.name)
        raise LostLease(f"lease {lease.name}")


@asynccontextmanager
async def hold_lease(pool: Pool, name: str, holder: str, *, ttl: float, clock: Clock) -> AsyncIterator[Lease]:
    """Wait for `name`, hold it during the block and release it after.

    Renews at thirds of `ttl`. When the lease is lost, or the database does not confirm it for two thirds of `ttl`, the
    block is cancelled.

    Raises:
        LostLease: the block was cancelled because of that.
    """
    asked_at = clock.monotonic()
    while (lease := await _try_acquire(pool, name, holder, ttl)) is None:
        await clock.sleep(ttl / 4)
        asked_at = clock.monotonic()
    observe.lease_acquired(name, lease.token)
    try:
        async with running(_keep(pool, lease, ttl, clock, asked_at)):
            yield lease
    except LostLease:
        observe.lease_lost(name, lease.token)
        raise
    finally:
        with suppress(TransientError, TimeoutError):  # it ends by itself
            async with asyncio.timeout(ttl / 4), connection(pool) as conn:
                await release(conn, lease)


async def run_leased(
    pool: Pool, name: str, holder: str, *, ttl: float, clock: Clock, work: Callable[[Lease], Awaitable[None]]
) -> None:
    """Run `work` while the lease is ours, until it returns; on loss it is cancelled and starts again with the next."""
    while True:
        with suppress(LostLease):
            async with hold_lease(pool, name, holder, ttl=ttl, clock=clock) as lease:
                await work(lease)
            return
        await clock.sleep(ttl / 4)


async def _try_acquire(pool: Pool, name: str, holder: str, ttl: float) -> Lease | None:
    with suppress(TransientError):
        async with connection(pool) as conn:
            return await acquire(conn, name, holder, ttl)
    return None


async def _keep(pool: Pool, lease: Lease, ttl: float, clock: Clock, asked_at: float) -> None:
    """Renew until cancelled.

    Raises:
        LostLease: as soon as the lease cannot be believed in any more.
    """
    believed_until = asked_at + ttl * 2 / 3
    pause = ttl / 3
    while True:
        await clock.sleep(min(pause, max(0.0, believed_until - clock.monotonic())))
        asked_at = clock.monotonic()
        if asked_at >= believed_until:
            raise LostLease(f"lease {lease.name}")
        pause = ttl / 12  # until it is confirmed
        ours = None
        with suppress(TransientError, TimeoutError):
            async with asyncio.timeout(believed_until - asked_at), connection(pool) as conn:
                ours = await renew(conn, lease, ttl)
        if ours is False:
            raise LostLease(f"lease {lease.name}")
        if ours:
            believed_until, pause = asked_at + ttl * 2 / 3, ttl / 3
