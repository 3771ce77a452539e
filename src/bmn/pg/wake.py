"""Wake-ups: an event in this process, one coalesced NOTIFY for the others. Only hints; every waiter also polls."""

import asyncio
from contextlib import suppress
from enum import Enum
from typing import Any

import asyncpg

from bmn.observe import engine as observe
from bmn.pg.pooler import is_direct
from bmn.seams import Clock

_CHANNEL = "bmn_wake"
_GATHER_SECONDS = 0.002  # the own process is told at once and comes first; others hear of several at a time
_REST_SECONDS = 0.008
_RECONNECT_SECONDS = 0.5
_TIMEOUT_SECONDS = 5.0


class Topic(Enum):
    """What there may be to look at; the value travels between processes."""

    MESSAGES = "m"
    """Messages are due, or swaps have changed."""
    CHANGES = "c"
    """Keys have other values."""


class Wake:
    """Something may be waiting: look."""

    def __init__(self) -> None:
        self._waiters: dict[Topic, set[asyncio.Event]] = {topic: set() for topic in Topic}
        self._outgoing = asyncio.Event()
        self._told: set[Topic] = set()

    def subscribe(self, topic: Topic = Topic.MESSAGES) -> asyncio.Event:
        """Return an event of the caller's own; clear it *before* looking for work."""
        event = asyncio.Event()
        self._waiters[topic].add(event)
        return event

    def unsubscribe(self, event: asyncio.Event) -> None:
        """Forget an event that nobody waits for any more."""
        for waiters in self._waiters.values():
            waiters.discard(event)

    def signal(self, *topics: Topic) -> None:
        """Tell everybody, here and in other processes; call it after the commit. No topic: MESSAGES."""
        self.signal_here(*topics)
        self.signal_elsewhere(*topics)

    def signal_elsewhere(self, *topics: Topic) -> None:
        """Tell other processes."""
        self._told.update(topics or (Topic.MESSAGES,))
        self._outgoing.set()

    def signal_here(self, *topics: Topic) -> None:
        """Tell the waiters of this process."""
        for topic in topics or (Topic.MESSAGES,):
            for event in self._waiters[topic]:
                event.set()

    async def asked(self) -> None:
        """Return when other processes are to be told."""
        await self._outgoing.wait()

    def take_asked(self) -> set[Topic]:
        """Return what they are to be told, and ask no more for it; several signals become one."""
        self._outgoing.clear()
        topics, self._told = self._told, set()
        return topics

    def check_connection(self) -> None:
        """Have `run_wake` use its connection, and find out that it is gone."""
        self._outgoing.set()


async def wait_for(event: asyncio.Event, seconds: float) -> None:
    """Return when the event is set, or after `seconds` at the latest."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


async def run_wake(dsn: str, wake: Wake, clock: Clock) -> None:
    """Carry signals between processes until cancelled; reconnects for ever, since polling covers any gap.

    The connection is one of its own, outside any transaction: NOTIFY takes a lock of the whole server at commit.
    `dsn` should reach the server itself: a pooler delivers no notifications, so through one we only send them.
    """
    while True:
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await _carry(dsn, wake, clock)
        await clock.sleep(_RECONNECT_SECONDS)


async def _carry(dsn: str, wake: Wake, clock: Clock) -> None:
    conn = await asyncpg.connect(
        dsn, timeout=_TIMEOUT_SECONDS, command_timeout=_TIMEOUT_SECONDS, statement_cache_size=0
    )
    own = conn.get_server_pid()

    def heard(_conn: Any, sender: int, _channel: str, payload: object) -> None:
        if sender != own:
            wake.signal_here(*(topic for topic in Topic if topic.value in str(payload)))

    try:
        conn.add_termination_listener(lambda _: wake.check_connection())
        if await is_direct(conn):
            await conn.execute("SET synchronous_commit = off")  # a hint need not survive, nor hold up those that must
            await conn.add_listener(_CHANNEL, heard)
        else:
            observe.wake_ups_polled()  # no SET and no LISTEN: they would stay with a session that others use
        wake.signal_here(*Topic)  # what happened while nobody listened
        while True:
            await wake.asked()
            await clock.sleep(_GATHER_SECONDS)
            letters = "".join(sorted(topic.value for topic in wake.take_asked()))
            await conn.execute(f"NOTIFY {_CHANNEL}, '{letters}'")
            await clock.sleep(_REST_SECONDS)
    finally:
        conn.terminate()
