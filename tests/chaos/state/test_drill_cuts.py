"""The connection is cut in the middle of a COMMIT: the outcome is unknown, the key settles it, nothing doubles."""

from pathlib import Path

import msgspec
import pytest
from tests.support.drill_case import FULL, Drill, until
from tests.support.drill_cutter import Cut, Cutter, open_cutter
from tests.support.drill_fleet import open_fleet
from tests.support.drill_orders import TABLES, check_orders, is_worked_off, put_orders

from bmn.core.errors import TransientError
from bmn.pg.pool import Pool, connection, open_pool, transaction

CUTS = 200 if FULL else 20
ORDERS = 3 * CUTS
WORKERS = 2


@pytest.mark.drill
async def test_workers_lose_and_double_nothing_when_commits_are_cut(
    engine_database: str, tmp_path: Path, drill: Drill
) -> None:
    async with open_pool(engine_database) as pool, open_cutter(engine_database, drill.rng) as (cutter, through):
        async with connection(pool) as conn:
            await conn.execute(TABLES)
        await put_orders(pool, ORDERS, spread=0, rng=drill.rng)
        cutter.to_come = CUTS
        setup = msgspec.json.encode({"dsn": through, "step": "rows", "call": 0.0}).decode()
        async with open_fleet("drill_worker.py", [setup], tmp_path, WORKERS) as fleet:
            await until(lambda: is_worked_off(pool), "all orders are through", seconds=120)
            assert fleet.counted()["message_failed COMMIT_UNKNOWN"] > CUTS / 2
        check_cuts(cutter)
        async with connection(pool) as conn:
            await check_orders(conn, ORDERS)
    drill.report(
        count=f"{WORKERS} workers, {CUTS} COMMITs cut: {named(cutter)}",
        bound="no step lost or doubled",
        worst="0 lost, 0 doubled",
    )


@pytest.mark.drill
async def test_a_cut_commit_says_that_its_outcome_is_unknown_and_its_key_settles_it(
    engine_database: str, drill: Drill
) -> None:
    unknown = stood = key = 0
    async with open_cutter(engine_database, drill.rng, share=0.5) as (cutter, through), open_pool(through) as pool:
        async with connection(pool) as conn:
            await conn.execute("CREATE TABLE written (key integer PRIMARY KEY)")
            await conn.execute("CREATE TABLE effects AS SELECT 0 AS count")
        cutter.to_come = CUTS
        while cutter.to_come:
            key += 1
            while True:
                try:
                    stood += not await write_once(pool, key)
                except TransientError as error:
                    if error.code != "COMMIT_UNKNOWN":
                        raise
                    unknown += 1
                else:
                    break
        async with connection(pool) as conn:
            assert await conn.fetchval("SELECT count(*) FROM written") == key
            assert await conn.fetchval("SELECT count FROM effects") == key
    check_cuts(cutter)
    assert unknown == CUTS
    assert 0 < stood <= cutter.came[Cut.AFTER] + cutter.came[Cut.DURING]
    drill.report(
        count=f"one caller, {CUTS} COMMITs cut: {named(cutter)}",
        bound="each is COMMIT_UNKNOWN, none lost or doubled",
        worst=f"{unknown} unknown, {stood} of them stood; 0 lost, 0 doubled",
    )


async def write_once(pool: Pool, key: int) -> bool:
    """Whether the effect of `key` was ours to make; the unique key also waits for a COMMIT that is still under way."""
    async with transaction(pool) as conn:
        if await conn.execute("INSERT INTO written VALUES ($1) ON CONFLICT DO NOTHING", key) != "INSERT 0 1":
            return False
        await conn.execute("UPDATE effects SET count = count + 1")
    return True


def check_cuts(cutter: Cutter) -> None:
    """Fail unless all cuts came, and some of each kind."""
    assert cutter.came.total() == CUTS
    assert all(cutter.came[kind] for kind in Cut)


def named(cutter: Cutter) -> str:
    """Return how many of each kind came."""
    return ", ".join(f"{cutter.came[kind]} {kind.value}" for kind in Cut)
