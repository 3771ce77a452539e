"""Too much at once: rows wanted by all, transactions that somebody forgot, a backlog in front of what is urgent."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import pytest
from tests.support import drill_orders, drill_transfers
from tests.support.drill_case import FULL, SLACK_SECONDS, Drill, until
from tests.support.drill_fleet import open_fleet
from tests.support.drill_orders import QUEUE, check_orders, count_steps, is_worked_off, put_orders
from tests.support.drill_transfers import check_transfers, put_transfers

from bmn.core.errors import TimedOut
from bmn.pg.beside import running
from bmn.pg.pool import Pool, connection, open_pool, transaction
from bmn.pg.queue import Claimed, NewMessage, Priority, enqueue, finish
from bmn.pg.wake import Wake
from bmn.pg.worker import run_worker
from bmn.seams import SystemClock, SystemRng

TRANSFERS = 1000 if FULL else 80
ATTEMPTS = 9
"""After the tenth a person would be told."""
LEAKED = 4
ANSWER_SECONDS = 6.0 if FULL else 5.0 + SLACK_SECONDS
"""The server ends a transaction that does nothing after 5 seconds."""

FULL_POOL_SECONDS = 11.0 if FULL else 10.0 + SLACK_SECONDS
BACKLOG, URGENT = (10_000, 50) if FULL else (2000, 8)

clock = SystemClock()


@pytest.mark.drill
async def test_a_storm_of_deadlocks_and_serialization_failures_ends_with_each_transfer_made_once(
    engine_database: str, tmp_path: Path, drill: Drill
) -> None:
    setup = msgspec.json.encode({"dsn": engine_database, "step": "transfers"}).decode()
    async with open_pool(engine_database) as pool:
        async with connection(pool) as conn:
            await conn.execute(drill_transfers.TABLES)
        await put_transfers(pool, TRANSFERS, drill.rng)
        async with open_fleet("drill_worker.py", [setup], tmp_path, 2) as fleet:
            await until(lambda: is_worked_off(pool), "all transfers are made", seconds=600 if FULL else 60)
            failed = fleet.counted()["message_failed DATABASE_UNAVAILABLE"]
        async with connection(pool) as conn:
            most = await check_transfers(conn, TRANSFERS)
    assert failed > 0
    assert most <= ATTEMPTS
    drill.report(
        count=f"2 workers of 8, {TRANSFERS} transfers among {drill_transfers.ACCOUNTS} rows in any order",
        bound=f"each made once, at most {ATTEMPTS} attempts, no person told",
        worst=f"{failed} transactions failed, at most {most} attempts",
    )


@pytest.mark.drill
async def test_forgotten_transactions_hold_others_up_no_longer_than_the_server_lets_them(
    engine_database: str, tmp_path: Path, drill: Drill
) -> None:
    """They lock what workers need and use their pool up; both are free again once the server has ended them."""
    orders = 40
    setup = msgspec.json.encode({"dsn": engine_database, "step": "rows"}).decode()
    async with open_pool(engine_database) as pool, open_pool(engine_database, size=LEAKED) as leaky:
        async with connection(pool) as conn:
            await conn.execute(drill_orders.TABLES)
        await put_orders(pool, orders, spread=0, rng=drill.rng)
        async with open_fleet("drill_worker.py", [setup], tmp_path, 2), AsyncExitStack() as forgotten:
            for order in drill.rng.sample(range(orders), LEAKED):
                conn = await forgotten.enter_async_context(connection(leaky))
                await conn.execute("BEGIN")
                await conn.execute("UPDATE drill_orders SET version = version WHERE id = $1", order)
            asked = clock.monotonic()
            await count_steps(leaky)
            answered = clock.monotonic() - asked
            await until(lambda: is_worked_off(pool), "all orders are through", seconds=60)
            through = clock.monotonic() - asked
        async with connection(pool) as conn:
            await check_orders(conn, orders)
    assert answered < ANSWER_SECONDS
    drill.report(
        count=f"{LEAKED} forgotten transactions that fill a pool, 2 workers, {orders} orders",
        bound=f"the pool answers within {ANSWER_SECONDS:.0f} s, no step lost or doubled",
        worst=f"{answered:.1f} s, all orders through after {through:.1f} s; 0 lost, 0 doubled",
    )


@pytest.mark.drill
async def test_who_waits_for_a_full_pool_is_told_in_time(engine_database: str, drill: Drill) -> None:
    async with open_pool(engine_database, size=LEAKED) as pool:
        async with AsyncExitStack() as held:
            for _ in range(LEAKED):
                await held.enter_async_context(connection(pool))
            asked = clock.monotonic()
            with pytest.raises(TimedOut):
                await is_worked_off(pool)
            told = clock.monotonic() - asked
        assert await is_worked_off(pool)
    assert told < FULL_POOL_SECONDS
    drill.report(
        count=f"a pool of {LEAKED}, all held",
        bound=f"DATABASE_TIMEOUT within {FULL_POOL_SECONDS:.0f} s; works at once when freed",
        worst=f"{told:.1f} s",
    )


@pytest.mark.drill
async def test_an_urgent_message_overtakes_ten_thousand(engine_database: str, drill: Drill) -> None:
    started: dict[bytes, float] = {}
    put: dict[bytes, float] = {}
    wake = Wake()
    async with open_pool(engine_database) as pool:

        async def handle(claimed: Claimed) -> None:
            started[claimed.payload] = clock.monotonic()
            async with transaction(pool) as conn:
                await finish(conn, claimed)

        async def urge(number: int) -> None:
            payload = b"urgent %d" % number
            message = NewMessage(queue=QUEUE, kind="urgent@1", payload=payload, priority=Priority.CRITICAL)
            async with transaction(pool) as conn:
                await enqueue(conn, message)
            put[payload] = clock.monotonic()
            wake.signal()

        await fill(pool, BACKLOG)
        worker = run_worker(pool, [QUEUE], handle, concurrency=4, wake=wake, clock=clock, rng=SystemRng())
        async with running(worker):
            for number in range(URGENT):
                await asyncio.sleep(drill.rng.uniform(0, 0.1))  # at any moment of the work
                async with connection(pool) as conn:
                    waiting = await conn.fetchval("SELECT count(*) FROM messages")
                if waiting < BACKLOG / 2:
                    await fill(pool, BACKLOG - waiting)
                await urge(number)

            async def all_started() -> bool:
                return put.keys() <= started.keys()

            await until(all_started, "the urgent ones start", seconds=1)
    worst = max(started[payload] - put[payload] for payload in put)
    assert worst < 1
    drill.report(
        count=f"{URGENT} critical messages behind {BACKLOG} waiting ones of low priority",
        bound="starts within 1 s",
        worst=f"{worst * 1000:.0f} ms",
    )


_FILL = """
INSERT INTO messages (queue, kind, priority, run_at, payload)
SELECT $1, 'low@1', 0, clock_timestamp(), 'low' FROM generate_series(1, $2)
"""


async def fill(pool: Pool, count: int) -> None:
    """Put `count` messages of low priority at once."""
    async with connection(pool) as conn:
        await conn.execute(_FILL, QUEUE, count)
