"""Drill: twenty instances race for the ticks of one schedule, and some of them die; each tick runs exactly once."""

import asyncio
import os
import random
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

import pytest

from bmn.pg.pool import Pool, connection, open_pool, transaction
from bmn.pg.queue import Claimed, finish
from bmn.pg.runs import begin_run, save_success
from bmn.pg.schedules import QUEUE, Job, Missed, Overlap, Schedule, decode_run, pause, register
from bmn.pg.ticker import run_ticker
from bmn.pg.wake import Wake
from bmn.pg.worker import run_worker
from bmn.seams import SystemClock, SystemRng

pytestmark = pytest.mark.drill

INSTANCES: Final = 20
TICKS: Final = 100 if os.environ.get("BMN_DRILL") == "full" else 25
PERIOD: Final = timedelta(milliseconds=200)
RACE: Final = Schedule(
    name="race", job=Job("race"), spec="every 200ms", max_attempts=None, missed=Missed.ALL, overlap=Overlap.ALLOW
)


async def instance(dsn: str, name: str) -> None:
    """Fire and work until cancelled, with connections of its own."""
    wake = Wake()
    async with open_pool(dsn, size=2) as pool:

        async def handle(claimed: Claimed) -> None:
            run = decode_run(claimed.payload)
            async with transaction(pool) as conn:
                begun = await begin_run(conn, run, claimed.attempts, name)
                await save_success(conn, begun, {})
                await finish(conn, claimed)

        async with asyncio.TaskGroup() as group:
            group.create_task(run_ticker(pool, wake, SystemClock()))
            group.create_task(
                run_worker(pool, [QUEUE], handle, concurrency=1, wake=wake, clock=SystemClock(), rng=SystemRng())
            )


async def count(pool: Pool, query: str) -> int:
    async with connection(pool) as conn:
        found: int = await conn.fetchval(query)
    return found


async def reach(pool: Pool, query: str, wanted: int) -> None:
    async with asyncio.timeout(120):
        while await count(pool, query) < wanted:
            await asyncio.sleep(0.05)  # between two looks


async def test_each_tick_runs_exactly_once_whoever_dies(engine_database: str) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    tasks: list[asyncio.Task[None]] = []
    async with open_pool(engine_database, size=2) as pool:
        async with transaction(pool) as conn:
            await register(conn, RACE)
            first: datetime = await conn.fetchval("SELECT next_at FROM schedules")
        try:
            for number in range(INSTANCES):
                work = instance(engine_database, f"instance-{number}")
                tasks.append(asyncio.create_task(work))
            for quarter in (1, 2, 3):
                await reach(pool, "SELECT count(*) FROM job_runs WHERE success", TICKS * quarter // 4)
                victim = tasks.pop(chance.randrange(len(tasks)))
                victim.cancel()
                with suppress(asyncio.CancelledError):
                    await victim
            await reach(pool, "SELECT count(*) FROM job_runs WHERE success", TICKS)
            async with connection(pool) as conn:
                await pause(conn, "race")
            await reach(pool, "SELECT (count(*) = 0)::int FROM messages", 1)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        async with connection(pool) as conn:
            rows = await conn.fetch("SELECT tick FROM job_runs WHERE success ORDER BY tick")
            after = await conn.fetchval("SELECT next_at FROM schedules")
        found = [row["tick"] for row in rows]
        assert len(found) >= TICKS
        assert found == [first + PERIOD * number for number in range(len(found))]
        assert after == first + PERIOD * len(found)
