"""The connection is cut in the middle of a COMMIT: the outcome is unknown, the key settles it, nothing doubles."""

from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import msgspec
import pytest
from tests.support import drill_entries, drill_orders
from tests.support.drill_case import FULL, Drill, until
from tests.support.drill_cutter import STATEMENTS, Cut, Cutter, open_cutter
from tests.support.drill_fleet import open_fleet
from tests.support.drill_orders import is_worked_off

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
            await conn.execute(drill_orders.TABLES)
        orders = partial(drill_orders.put_orders, pool, ORDERS, spread=0, rng=drill.rng)
        counted = await work_off(pool, orders, cutter, through, "rows", tmp_path)
        async with connection(pool) as conn:
            await drill_orders.check_orders(conn, ORDERS)
    assert counted["message_failed COMMIT_UNKNOWN"] > CUTS / 2
    report(drill, cutter, "COMMITs")


@pytest.mark.drill
async def test_workers_lose_and_double_nothing_when_statements_of_the_key_value_table_are_cut(
    engine_database: str, tmp_path: Path, drill: Drill
) -> None:
    """Any statement: claims, reads and renewals as well as commits."""
    proxy = open_cutter(engine_database, drill.rng, share=0.05, signs=STATEMENTS)
    async with open_pool(engine_database) as pool, proxy as (cutter, through):
        orders = partial(drill_entries.put_orders, pool, ORDERS, spread=0, rng=drill.rng)
        counted = await work_off(pool, orders, cutter, through, "entries", tmp_path)
        async with connection(pool) as conn:
            await drill_entries.check_orders(conn, ORDERS)
    assert counted["message_failed DATABASE_UNAVAILABLE"] > CUTS / 10
    report(drill, cutter, "statements")


async def work_off(
    pool: Pool, put: Callable[[], Awaitable[None]], cutter: Cutter, through: str, step: str, tmp_path: Path
) -> Counter[str]:
    """Have workers do what is put, while connections are cut; return what they logged."""
    setup = msgspec.json.encode({"dsn": through, "step": step, "call": 0.0}).decode()
    async with open_fleet("drill_worker.py", [setup], tmp_path, WORKERS) as fleet:
        await put()
        cutter.to_come = CUTS
        await until(lambda: is_worked_off(pool), "all orders are through", seconds=120)
        return fleet.counted()


def report(drill: Drill, cutter: Cutter, what: str) -> None:
    check_cuts(cutter)
    drill.report(
        count=f"{WORKERS} workers, {ORDERS} orders, {CUTS} {what} cut: {named(cutter)}",
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
