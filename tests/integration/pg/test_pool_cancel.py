"""A cancel is a cancel, also when the connection dies under it."""

import asyncio
from contextlib import suppress

import asyncpg
from tests.support.postgres import in_thread

from bmn.core.errors import TransientError
from bmn.pg.pool import Pool, open_pool, transaction

TRIES = 150
"""A rollback that hid the cancel did so in about one of ten."""

_CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid = ANY ($1)"


async def write_for_ever(pool: Pool, backends: set[int]) -> None:
    while True:
        with suppress(TransientError):
            async with transaction(pool) as conn:
                backends.add(conn.get_server_pid())
                await conn.execute("SELECT 1")
                await conn.fetchval("SELECT 2")


async def cut(dsn: str, backends: set[int]) -> None:
    conn = await asyncpg.connect(dsn)
    await conn.execute(_CUT, list(backends))
    await conn.close()


async def test_a_cancel_is_not_hidden_by_the_rollback_on_a_connection_that_died(engine_database: str) -> None:
    backends: set[int] = set()
    async with open_pool(engine_database, size=2) as pool:
        for number in range(TRIES):
            task = asyncio.ensure_future(write_for_ever(pool, backends))
            for _ in range(5 + number % 17):
                await asyncio.sleep(0)
            in_thread(cut(engine_database, backends))  # blocks our loop: news and cancel arrive together
            backends.clear()
            task.cancel()
            done, _ = await asyncio.wait([task], timeout=10)
            assert done
            assert task.cancelled()
