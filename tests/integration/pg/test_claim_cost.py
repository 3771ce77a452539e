"""A claim, and a tick, read the few messages that concern them, however many wait."""

import asyncpg
import pytest

from bmn.pg.schedules import Job, Missed, Schedule, fire, register

_FILL = """
INSERT INTO messages (queue, kind, priority, run_at, key, payload)
SELECT 'orders:execution', 'advance_swap@1', 1, clock_timestamp(), int8send(number), '\\x00'
FROM generate_series(1, $1::int) AS number
"""

_CLAIM = "SELECT count(*) FROM claim_messages($1, $2, 10, 60.0)"

_READ = """
SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'messages'
"""


@pytest.mark.parametrize("waiting", [1_000, 50_000])
async def test_ten_are_claimed_without_reading_all_that_wait(engine_database: str, waiting: int) -> None:
    conn = await asyncpg.connect(engine_database)
    try:
        await conn.execute(_FILL, waiting)
        await conn.execute("ANALYZE messages")
        async with conn.transaction():
            assert await conn.fetchval(_CLAIM, ["orders:execution"] * 4, [3, 2, 1, 0]) == 10
            assert await conn.fetchval(_READ) < 200
    finally:
        await conn.close()


async def test_a_tick_does_not_read_all_that_wait(engine_database: str) -> None:
    conn = await asyncpg.connect(engine_database)
    try:
        await conn.execute(_FILL, 10_000)
        await conn.execute("ANALYZE messages")
        await register(conn, Schedule(name="hourly", job=Job("count"), spec="every 1h", missed=Missed.ONCE))
        await conn.execute("UPDATE schedules SET next_at = next_at - interval '1 hour'")
        async with conn.transaction():
            assert await fire(conn, "hourly") is not None
            assert await conn.fetchval(_READ) < 200
    finally:
        await conn.close()
