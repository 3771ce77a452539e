"""A connection kept for one purpose."""

import asyncio

from bmn.pg.pinned import open_pinned
from bmn.pg.pool import Pool, connection, open_pool

_CUT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
MOMENTS = 20
"""In turns of the loop; an answer takes some ten."""


async def cut(pool: Pool) -> None:
    async with connection(pool) as conn:
        size = pool.get_size()
        await conn.execute(_CUT)
        while pool.get_size() == size:
            await asyncio.sleep(0)


async def test_who_gives_up_while_it_is_replaced_leaves_nothing_behind(engine_database: str) -> None:
    async with open_pool(engine_database, size=2) as pool, open_pinned(pool) as pinned:
        for moment in range(MOMENTS):
            await pinned.fetch("SELECT 1")
            await cut(pool)
            impatient = asyncio.ensure_future(pinned.fetch("SELECT 1"))
            for _ in range(moment):
                await asyncio.sleep(0)
            impatient.cancel()
            await asyncio.wait([impatient])
            assert await pinned.fetch("SELECT 1")


async def test_one_that_is_known_to_be_gone_fails_nobody(engine_database: str) -> None:
    async with open_pool(engine_database, size=2) as pool, open_pinned(pool) as pinned:
        await pinned.fetch("SELECT 1")
        await cut(pool)
        assert await pinned.fetch("SELECT 1")
