"""The database crashes, is stopped, or only reads for a while; work goes on by itself, exactly where it was."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path

import asyncpg
import msgspec
import pytest
from tests.support.drill_case import FULL, Drill, until
from tests.support.drill_fleet import Fleet, open_fleet
from tests.support.drill_orders import TABLES, check_orders, count_steps, is_worked_off, put_orders
from tests.support.drill_server import OwnServer, open_own_server

from bmn.core.errors import TransientError
from bmn.pg.pool import connection, open_pool

WORKERS = 4
READY_SECONDS = 15.0
RESTARTS = 10 if FULL else 2
DOWN_SECONDS = 120.0 if FULL else 2.0
READ_ONLY_SECONDS = 60.0 if FULL else 2.0
ORDERS_AN_OUTAGE = 200 if FULL else 60

Outage = Callable[[OwnServer, str], AbstractAsyncContextManager[None]]
"""Within its block the database is as bad as it gets; after it, it is well again."""


@asynccontextmanager
async def crash(server: OwnServer, _: str) -> AsyncIterator[None]:
    await server.stop(signal.SIGQUIT)
    yield
    await server.start()


@asynccontextmanager
async def stopped(server: OwnServer, _: str) -> AsyncIterator[None]:
    await server.stop(signal.SIGINT)
    yield
    await server.start()


@asynccontextmanager
async def read_only(_: OwnServer, dsn: str) -> AsyncIterator[None]:
    """For sessions that are open, too."""
    conn = await asyncpg.connect(dsn, server_settings={"default_transaction_read_only": "off"})
    try:
        await conn.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        await conn.execute("SELECT pg_reload_conf()")
        yield
        await conn.execute("ALTER SYSTEM RESET default_transaction_read_only")
        await conn.execute("SELECT pg_reload_conf()")
    finally:
        await conn.close()


async def play(outage: Outage, tmp_path: Path, drill: Drill, *, times: int, seconds: float) -> float:
    """Bring `times` outages of `seconds` over working processes; return the longest time until work went on after."""
    readies: list[float] = []
    put = 0
    async with open_own_server() as (server, dsn), open_pool(dsn) as pool:
        async with connection(pool) as conn:
            await conn.execute(TABLES)
        setup = msgspec.json.encode({"dsn": dsn, "step": "rows"}).decode()
        async with open_fleet("drill_worker.py", [setup], tmp_path, WORKERS) as fleet:

            async def more_than(steps: int) -> bool:
                try:
                    return await count_steps(pool) > steps
                except TransientError:
                    return False

            for _ in range(times):
                await put_orders(pool, ORDERS_AN_OUTAGE, spread=2 * seconds + 2, rng=drill.rng, first=put)
                put += ORDERS_AN_OUTAGE
                await until(partial(more_than, await count_steps(pool)), "the workers work", seconds=30)
                await asyncio.sleep(drill.rng.uniform(0, 2))  # the fault comes at any moment of the load
                async with outage(server, dsn):
                    await asyncio.sleep(seconds)  # the fault
                before = await count_steps_at_last(pool)
                readies.append(await until(partial(more_than, before), "ready again", seconds=READY_SECONDS))
            await until(lambda: is_worked_off(pool), "all orders are through", seconds=120)
            check_that_it_was_felt(fleet)
        async with connection(pool) as conn:
            await check_orders(conn, put)
    return max(readies)


async def count_steps_at_last(pool: asyncpg.Pool) -> int:
    """Return how many steps stand, from a connection that works again."""
    while True:
        try:
            return await count_steps(pool)
        except TransientError:
            continue


def check_that_it_was_felt(fleet: Fleet) -> None:
    """Fail unless workers ran into the outage; an outage that nobody met proves nothing."""
    counted = fleet.counted()
    assert counted["worker_waits DATABASE_UNAVAILABLE"] + counted["message_failed DATABASE_UNAVAILABLE"] > 0, counted


@pytest.mark.drill
async def test_nothing_is_lost_or_doubled_when_the_database_crashes_under_load(tmp_path: Path, drill: Drill) -> None:
    worst = await play(crash, tmp_path, drill, times=RESTARTS, seconds=0)
    report(drill, f"{RESTARTS} immediate restarts", worst)


@pytest.mark.drill
async def test_work_waits_while_the_database_is_down(tmp_path: Path, drill: Drill) -> None:
    worst = await play(stopped, tmp_path, drill, times=1, seconds=DOWN_SECONDS)
    report(drill, f"down for {DOWN_SECONDS:.0f} s", worst)


@pytest.mark.drill
async def test_work_waits_while_the_database_only_reads(tmp_path: Path, drill: Drill) -> None:
    worst = await play(read_only, tmp_path, drill, times=1, seconds=READ_ONLY_SECONDS)
    report(drill, f"read-only for {READ_ONLY_SECONDS:.0f} s", worst)


def report(drill: Drill, count: str, worst: float) -> None:
    drill.report(
        count=f"{WORKERS} workers, {count}",
        bound=f"no step lost or doubled, no process ends, ready within {READY_SECONDS:.0f} s",
        worst=f"0 lost, 0 doubled, 0 ended; {worst:.1f} s",
    )
