"""Wake-ups between processes, over a real server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from bmn.pg.beside import running
from bmn.pg.wake import Topic, Wake, run_wake, wait_for
from bmn.seams import SystemClock


@asynccontextmanager
async def carried(dsn: str, wake: Wake) -> AsyncIterator[asyncio.Event]:
    """Run the carrier and yield a waiter, once it listens."""
    event = wake.subscribe()
    async with running(run_wake(dsn, wake, SystemClock())):
        await heard(event)
        yield event


async def heard(event: asyncio.Event) -> None:
    async with asyncio.timeout(30):
        await event.wait()
    event.clear()


async def test_a_signal_reaches_this_process_and_the_others(engine_database: str) -> None:
    here, there = Wake(), Wake()
    async with carried(engine_database, here) as first, carried(engine_database, there) as second:
        here.signal()
        assert first.is_set()
        await heard(second)
        there.signal()
        await heard(first)


async def test_a_signal_wakes_only_those_who_wait_for_its_topic(engine_database: str) -> None:
    here, there = Wake(), Wake()
    async with carried(engine_database, here), carried(engine_database, there) as messages:
        changes = there.subscribe(Topic.CHANGES)
        here.signal(Topic.CHANGES)
        await heard(changes)
        assert not messages.is_set()
        here.signal(Topic.MESSAGES)
        await heard(messages)
        assert not changes.is_set()


class CountingWake(Wake):
    """Counts what wakes this process."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def signal_here(self, *topics: Topic) -> None:
        self.count += 1
        super().signal_here(*topics)


async def test_an_own_notification_does_not_come_back(engine_database: str) -> None:
    here, there = CountingWake(), Wake()
    async with carried(engine_database, here), carried(engine_database, there) as second:
        before = here.count
        for _ in range(5):
            here.signal()
            await heard(second)  # by now the server has told everybody of the round before
        assert here.count == before + 5


async def test_a_signal_for_this_process_only_is_not_carried(engine_database: str) -> None:
    here, there = Wake(), CountingWake()
    async with carried(engine_database, here) as first, carried(engine_database, there):
        before = there.count
        here.signal_here()
        await heard(first)
        there.signal()
        await heard(first)
        assert there.count == before + 1


async def test_many_signals_become_few_notifications(engine_database: str) -> None:
    wake = Wake()
    seen: list[object] = []
    listener = await asyncpg.connect(engine_database)
    try:
        await listener.add_listener("bmn_wake", lambda *_: seen.append(None))
        async with carried(engine_database, wake):
            for _ in range(1000):
                wake.signal()
            async with asyncio.timeout(30):
                while not seen:
                    await listener.fetchval("SELECT 1")
        assert len(seen) <= 2
    finally:
        await listener.close()


async def test_a_lost_connection_is_opened_again_and_wakes_once_for_what_was_missed(engine_database: str) -> None:
    wake, other = Wake(), Wake()
    admin = await asyncpg.connect(engine_database)
    try:
        async with carried(engine_database, wake) as event, carried(engine_database, other):
            await admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            await heard(event)  # listens again
            async with asyncio.timeout(30):
                while not event.is_set():
                    other.signal()
                    await asyncio.sleep(0)
    finally:
        await admin.close()


async def test_waiting_ends_without_a_signal() -> None:
    await wait_for(asyncio.Event(), 0.01)
