"""Health as a real database tells it."""

from dataclasses import replace

from tests.support.api_values import SPECS, SRC
from tests.support.hand_clock import HandClock

from bmn.api.components import check_components
from bmn.pg.migrate import ENGINE, upgrade
from bmn.pg.pool import connection, open_pool
from bmn.store import MIGRATIONS

_SEEN = """
INSERT INTO chain_heads (chain_id, number, hash, time, final_number, final_time, seen_at)
VALUES ($1, 7, $2, 0, 5, 0, to_timestamp($3))
"""


async def test_a_chain_is_well_while_its_newest_block_is_young(database: str) -> None:
    await upgrade(database, [ENGINE, MIGRATIONS])
    clock, spec = HandClock(), SPECS[SRC]
    async with open_pool(database, size=1) as pool:
        nothing = await check_components(pool, [spec], clock)
        assert {name: part.healthy for name, part in nothing.items()} == {"database": True, "alpha": False}
        async with connection(pool) as conn:
            await conn.execute(_SEEN, spec.id, b"\x01" * 32, clock.now())
        for age, is_healthy in ((15, True), (1, False)):
            await clock.advance(age)
            assert (await check_components(pool, [spec], clock))["alpha"].healthy is is_healthy
        slow = replace(spec, block_time=1.6)
        assert (await check_components(pool, [slow], clock))["alpha"].healthy
        async with connection(pool) as conn:
            await conn.execute("UPDATE chain_heads SET halted = 'REORG_TOO_DEEP'")
        assert (await check_components(pool, [slow], clock))["alpha"].detail == "REORG_TOO_DEEP"
