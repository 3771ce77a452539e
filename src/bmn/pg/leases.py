"""Leases: one owner at a time, with a fencing token that makes a late writer harmless.

A lease only says who may start; what protects a write is `check_fence` in the same transaction. The database's clock
decides when a lease ends; its holder stops believing in it at two thirds of its length by its own monotonic clock.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from bmn.core.errors import TransientError
from bmn.observe import engine
from bmn.pg.errors import LostLease
from bmn.pg.pool import Connection, Pool, connection
from bmn.seams import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Ownership of a name."""

    name: str
    token: int
    """Greater than every token granted for this name before."""


_ACQUIRE = """
INSERT INTO leases (name, holder, token, expires_at)
VALUES ($1, $2, nextval('fence'), clock_timestamp() + make_interval(secs => $3))
ON CONFLICT (name) DO UPDATE SET holder = $2, token = nextval('fence'),
                                 expires_at = clock_timestamp() + make_interval(secs => $3)
WHERE leases.expires_at < clock_timestamp()
RETURNING token
"""

_RENEW = """
UPDATE leases SET expires_at = clock_timestamp() + make_interval(secs => $3) WHERE name = $1 AND token = $2
"""

_RELEASE = "UPDATE leases SET expires_at = '-infinity' WHERE name = $1 AND token = $2"

_FENCE = "SELECT 1 FROM leases WHERE name = $1 AND token = $2 FOR SHARE"


async def acquire(conn: Connection, name: str, holder: str, ttl: float) -> Lease | None:
    """Take `name` for `ttl` seconds, or None while somebody holds it."""
    token = await conn.fetchval(_ACQUIRE, name, holder, ttl)
    return None if token is None else Lease(name=name, token=token)


async def renew(conn: Connection, lease: Lease, ttl: float) -> bool:
    """Hold on for `ttl` seconds from now; False when it went to somebody else."""
    renewed: str = await conn.execute(_RENEW, lease.name, lease.token, ttl)
    return renewed == "UPDATE 1"


async def release(conn: Connection, lease: Lease) -> None:
    """Give it back; nothing happens when it is not ours any more."""
    await conn.execute(_RELEASE, lease.name, lease.token)


async def check_fence(conn: Connection, lease: Lease) -> None:
    """Let a write stand only while no newer owner exists; call it inside the writing transaction.

    Raises:
        LostLease: a newer token was granted.
    """
    if await conn.fetchval(_FENCE, lease.name, lease.token) is None:
        raise LostLease(f"lease {lease.name}")


async def run_leased(
    pool: Pool, name: str, holder: str, *, ttl: float, clock: Clock, work: Callable[[Lease], Awaitable[None]]
) -> None:
    """Run `work` whenever the lease is ours, until it returns; on loss it is cancelled and we queue up again."""
    while True:
        lease = await _try_acquire(pool, name, holder, ttl)
        if lease is None:
            await clock.sleep(ttl / 3)
            continue
        engine.lease_acquired(name, lease.token)
        try:
            if await _run_while_held(pool, lease, ttl, clock, work):
                return
            engine.lease_lost(name, lease.token)
        finally:
            with suppress(TransientError):  # it ends by itself
                async with connection(pool) as conn:
                    await release(conn, lease)


async def _try_acquire(pool: Pool, name: str, holder: str, ttl: float) -> Lease | None:
    try:
        async with connection(pool) as conn:
            return await acquire(conn, name, holder, ttl)
    except TransientError:
        return None


async def _run_while_held(
    pool: Pool, lease: Lease, ttl: float, clock: Clock, work: Callable[[Lease], Awaitable[None]]
) -> bool:
    """Return True when the work returned, False when the lease was lost."""
    working = asyncio.ensure_future(work(lease))
    keeping = asyncio.ensure_future(_keep(pool, lease, ttl, clock))
    try:
        await asyncio.wait({working, keeping}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return _outcome(working)
    finally:
        for task in (working, keeping):
            task.cancel()
        await asyncio.gather(working, keeping, return_exceptions=True)
    return False


def _outcome(working: "asyncio.Future[None]") -> bool:
    """Return True when the work ended well, False when it noticed by itself that the lease is gone."""
    try:
        working.result()
    except LostLease:
        return False
    return True


async def _keep(pool: Pool, lease: Lease, ttl: float, clock: Clock) -> None:
    """Renew at thirds; return as soon as the lease cannot be believed in any more."""
    believed_until = clock.monotonic() + ttl * 2 / 3
    while True:
        await clock.sleep(ttl / 3)
        asked_at = clock.monotonic()
        if asked_at > believed_until:
            return
        with suppress(TransientError, TimeoutError):
            async with asyncio.timeout(ttl / 3), connection(pool) as conn:
                if not await renew(conn, lease, ttl):
                    return
                believed_until = asked_at + ttl * 2 / 3
