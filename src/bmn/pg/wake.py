"""Wake-ups: an event in this process, one coalesced NOTIFY for the others. Only hints; every waiter also polls.

The connection is one of its own, never from the pool: it LISTENs. Give it a direct DSN, not one of a pooler.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg

from bmn.seams import Clock

_CHANNEL = "bmn_wake"
_COALESCE_SECONDS = 0.005
_RECONNECT_SECONDS = 0.5


class Wake:
    """Something may be waiting: look."""

    def __init__(self) -> None:
        self._waiters: set[asyncio.Event] = set()
        self._outgoing = asyncio.Event()

    def subscribe(self) -> asyncio.Event:
        """Return an event of the caller's own; clear it *before* looking for work."""
        event = asyncio.Event()
        self._waiters.add(event)
        return event

    def signal(self) -> None:
        """Tell everybody, here and in other processes; call it after the commit."""
        self.signal_here()
        self._outgoing.set()

    def signal_here(self) -> None:
        """Tell the waiters of this process."""
        for event in self._waiters:
            event.set()

    async def outgoing(self) -> None:
        """Return when other processes are to be told; several signals become one."""
        await self._outgoing.wait()
        self._outgoing.clear()


async def wait_for(event: asyncio.Event, seconds: float) -> None:
    """Return when the event is set, or after `seconds` at the latest."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


async def run_wake(dsn: str, wake: Wake, clock: Clock) -> None:
    """Carry signals between processes until cancelled; reconnects for ever, since polling covers any gap."""
    while True:
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
            async with _listening(dsn, wake) as conn:
                wake.signal_here()  # what happened while nobody listened
                while True:
                    await wake.outgoing()
                    await clock.sleep(_COALESCE_SECONDS)
                    await conn.execute(f"NOTIFY {_CHANNEL}")
        await clock.sleep(_RECONNECT_SECONDS)


@asynccontextmanager
async def _listening(dsn: str, wake: Wake) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
    conn: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(dsn, timeout=5, command_timeout=5)

    def heard(*_: Any) -> None:
        wake.signal_here()

    try:
        await conn.add_listener(_CHANNEL, heard)
        yield conn
    finally:
        conn.terminate()
