"""Debian's pgbouncer in transaction mode between us and the server."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from statistics import median
from urllib.parse import urlsplit

import asyncpg
import pytest
from tests.support.debian import pgbouncer
from tests.support.postgres import fresh_database

from bmn.core.errors import ConfigError, TransientError
from bmn.pg.beside import running
from bmn.pg.leases import acquire
from bmn.pg.migrate import ENGINE, check_version, upgrade
from bmn.pg.pool import Pool, connection, open_pool, transaction
from bmn.pg.pooler import check_same_database, reaches_server
from bmn.pg.queue import Claimed, NewMessage, enqueue, finish
from bmn.pg.wake import Wake, run_wake
from bmn.pg.worker import run_worker
from bmn.seams import SystemClock, SystemRng

SESSIONS = 2
"""Of the server, for all clients of one database."""


@pytest.fixture(scope="session")
def pooler(postgres: str) -> Iterator[str]:
    """Address of a pooler before the server of the tests."""
    with pgbouncer(postgres, users=[urlsplit(postgres).username or ""], size=SESSIONS) as dsn:
        yield dsn


@pytest.fixture
def through(pooler: str, engine_database: str) -> str:
    """Address of the test's database through the pooler."""
    return urlsplit(pooler)._replace(path=urlsplit(engine_database).path).geturl()


async def test_a_pooler_is_noticed_and_a_server_is_not_taken_for_one(through: str, engine_database: str) -> None:
    assert not await reaches_server(through)
    assert await reaches_server(engine_database)


async def test_clients_of_few_sessions_never_get_each_others_answers(through: str) -> None:
    async def ask(pool: Pool, mine: int) -> None:
        for number in range(50):
            async with connection(pool) as conn:
                # A text of its own for each, so that a statement of somebody else would answer otherwise.
                assert await conn.fetchval(f"SELECT {mine} * 1000 + $1::int", number) == mine * 1000 + number
            async with transaction(pool) as conn:
                assert await conn.fetchval("SELECT $1::numeric(78,0)", 10**70 + mine) == 10**70 + mine

    async with open_pool(through, size=10) as one, open_pool(through, size=10) as two, asyncio.TaskGroup() as group:
        for mine in range(10):
            group.create_task(ask(one, mine))
            group.create_task(ask(two, 100 + mine))


async def test_a_transaction_that_hangs_is_ended_and_leaves_no_setting_behind(
    through: str, engine_database: str
) -> None:
    direct = await asyncpg.connect(engine_database)

    async def hang(pool: Pool) -> None:
        async with transaction(pool) as conn:
            pid = await conn.fetchval("SELECT pg_backend_pid()")
            async with asyncio.timeout(30):
                while await direct.fetchval("SELECT count(*) FROM pg_stat_activity WHERE pid = $1", pid):
                    await asyncio.sleep(0)

    before = await direct.fetchval("SHOW idle_in_transaction_session_timeout")
    async with open_pool(through, size=4) as pool:
        with pytest.raises(TransientError):
            await hang(pool)
        async with transaction(pool) as one, transaction(pool) as two:  # the two sessions there are
            for conn in (one, two):
                assert await conn.fetchval("SHOW idle_in_transaction_session_timeout") == "5s"
        for _ in range(SESSIONS * 2):
            async with connection(pool) as conn:
                assert await conn.fetchval("SHOW idle_in_transaction_session_timeout") == before
    await direct.close()


async def test_a_lease_goes_to_one_of_many(through: str) -> None:
    async def ask(pool: Pool, holder: str) -> bool:
        async with connection(pool) as conn:
            return await acquire(conn, "only", holder, 60.0) is not None

    async with AsyncExitStack() as stack:
        pools = [await stack.enter_async_context(open_pool(through)) for _ in range(4)]
        granted = await asyncio.gather(*(ask(pools[number % 4], str(number)) for number in range(13)))
    assert sum(granted) == 1


class Rig:
    """Two processes: one puts messages, the other works on them and notes when."""

    def __init__(self, pool: Pool, sender: Wake) -> None:
        self.pool = pool
        self.sender = sender
        self.seconds: list[float] = []
        self.handled = asyncio.Event()

    async def handle(self, claimed: Claimed) -> None:
        self.seconds.append(time.perf_counter() - float(claimed.payload))
        async with transaction(self.pool) as conn:
            await finish(conn, claimed)
        self.handled.set()

    async def put(self) -> None:
        """Put a message and wait until it was handled."""
        self.handled.clear()
        async with transaction(self.pool) as conn:
            await enqueue(conn, NewMessage(queue="q", kind="k@1", payload=str(time.perf_counter()).encode()))
        self.sender.signal()
        async with asyncio.timeout(30):
            await self.handled.wait()


@asynccontextmanager
async def working(dsn: str, carrier: str) -> AsyncIterator[Rig]:
    """A worker and a sender on `dsn`, whose wake-ups go over `carrier`."""
    clock, here, there = SystemClock(), Wake(), Wake()
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(open_pool(dsn, size=6))
        rig = Rig(pool, here)
        for wake in (here, there):
            listening = wake.subscribe()
            await stack.enter_async_context(running(run_wake(carrier, wake, clock)))
            async with asyncio.timeout(30):
                await listening.wait()
        worker = run_worker(pool, ["q"], rig.handle, concurrency=2, wake=there, clock=clock, rng=SystemRng())
        await stack.enter_async_context(running(worker))
        yield rig


async def test_wake_ups_past_the_pooler_arrive_at_once(through: str, engine_database: str) -> None:
    async with working(through, engine_database) as rig:
        for _ in range(30):
            await rig.put()
    print(f"from commit to handler in another process: p50 {median(rig.seconds) * 1000:.1f} ms")
    assert median(rig.seconds) < 0.1  # polling alone takes a quarter of a second


async def test_without_a_direct_address_work_is_found_by_polling_and_nobody_listens(
    through: str, engine_database: str
) -> None:
    async with working(through, through) as rig:
        for _ in range(4):
            await rig.put()
        assert max(rig.seconds) < 5.0
        direct = await asyncpg.connect(engine_database)
        listening = "SELECT count(*) FROM pg_stat_activity WHERE query ILIKE 'listen%' AND datname = current_database()"
        assert await direct.fetchval(listening) == 0
        # What it tells reaches those who can listen.
        heard = asyncio.Event()
        await direct.add_listener("bmn_wake", lambda *_: heard.set())
        rig.sender.signal()
        async with asyncio.timeout(30):
            await heard.wait()
        await direct.close()


async def test_migrations_pass_through(pooler: str, database: str) -> None:
    dsn = urlsplit(pooler)._replace(path=urlsplit(database).path).geturl()
    applied = await asyncio.gather(*(upgrade(dsn, [ENGINE]) for _ in range(3)))
    assert sorted(map(bool, applied)) == [False, False, True]
    await check_version(dsn, [ENGINE])


async def test_a_direct_address_of_another_database_is_refused(
    through: str, engine_database: str, postgres: str
) -> None:
    await check_same_database(through, engine_database)
    with fresh_database(postgres) as other, pytest.raises(ConfigError, match="DATABASE_DIRECT"):
        await check_same_database(through, other)


async def test_another_server_with_a_database_of_the_same_name_is_refused(postgres: str, oldest_postgres: str) -> None:
    with pytest.raises(ConfigError, match="DATABASE_DIRECT"):
        await check_same_database(postgres, oldest_postgres)


async def test_sessions_that_die_behind_the_pooler_are_passing_trouble(through: str, engine_database: str) -> None:
    direct = await asyncpg.connect(engine_database)

    async def die(pool: Pool) -> None:
        async with transaction(pool) as conn:
            await direct.execute("SELECT pg_terminate_backend($1)", await conn.fetchval("SELECT pg_backend_pid()"))
            await conn.execute("SELECT 1")

    async with open_pool(through, size=4) as pool:
        with pytest.raises(TransientError):
            await die(pool)
        async with connection(pool) as conn:
            assert await conn.fetchval("SELECT 1") == 1
    await direct.close()
