"""Processes are paused for three leases while others take over, and wake up harmless."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest
from tests.support.drill_case import FULL, SLACK_SECONDS, Drill, until
from tests.support.drill_fleet import open_fleet
from tests.support.drill_orders import TABLES, check_orders, is_worked_off, put_orders

from bmn.pg.pool import connection, open_pool
from bmn.pg.worker import LEASE_SECONDS

TTL, PAUSES = (2.0, 10) if FULL else (1.0, 2)
LEASE, WORKER_PAUSES = (LEASE_SECONDS, 10) if FULL else (1.0, 1)
ORDERS_A_PAUSE = 100 if FULL else 50
IDLE_SECONDS = 5.0
"""After which the server ends an open transaction of somebody who does nothing, and so frees what it locks."""

WRITES = """
CREATE TABLE drill_writes (id bigint GENERATED ALWAYS AS IDENTITY, token bigint NOT NULL, holder text NOT NULL)
"""

_HOLDER = "SELECT holder::int FROM drill_writes ORDER BY id DESC LIMIT 1"

_STALE = """
SELECT count(*) FROM (SELECT token, lag(token) OVER (ORDER BY id) AS before FROM drill_writes) AS writes
WHERE token < before
"""
"""Writes under a token older than that of the write before them: the fence keeps the order of ids that of commits."""


@pytest.mark.drill
async def test_a_paused_holder_of_a_lease_writes_nothing_once_another_has_it(
    engine_database: str, tmp_path: Path, drill: Drill
) -> None:
    bound = IDLE_SECONDS + TTL + (1.0 if FULL else SLACK_SECONDS)
    takeovers: list[float] = []
    async with open_pool(engine_database) as pool:

        async def ask(query: str, *arguments: object) -> int:
            async with connection(pool) as conn:
                return await conn.fetchval(query, *arguments) or 0

        async with connection(pool) as conn:
            await conn.execute(WRITES)
        async with open_fleet("drill_holder.py", [engine_database, str(TTL)], tmp_path, 2) as fleet:
            await until(written_after(ask, 0), "somebody writes", seconds=30)
            for _ in range(PAUSES):
                await asyncio.sleep(drill.rng.uniform(0, TTL))  # the fault comes at any moment of a lease
                paused = fleet.running[await ask(_HOLDER)]
                paused.send_signal(signal.SIGSTOP)
                while fleet.running[await ask(_HOLDER)] is not paused:  # it had just lost the lease by itself
                    paused.send_signal(signal.SIGCONT)
                    paused = fleet.running[await ask(_HOLDER)]
                    paused.send_signal(signal.SIGSTOP)
                last = await ask("SELECT max(token) FROM drill_writes")
                pause = asyncio.create_task(asyncio.sleep(3 * TTL))  # the fault
                takeovers.append(await until(written_after(ask, last), "another writes", seconds=bound))
                await pause
                lost = fleet.counted()["lease_lost"]
                paused.send_signal(signal.SIGCONT)
                await until(
                    logged_more(fleet.counted, "lease_lost", lost),
                    "it sees the loss",
                    seconds=TTL if FULL else SLACK_SECONDS,
                )
            fenced = fleet.counted()["write_fenced"]
        stale = await ask(_STALE)
    assert stale == 0
    assert fenced >= PAUSES
    drill.report(
        count=f"2 holders, lease {TTL:.1f} s, {PAUSES} pauses of 3 leases",
        bound=f"no stale write; another writes within {bound:.1f} s",
        worst=f"0 stale, {fenced} fenced; {max(takeovers):.1f} s",
    )


@pytest.mark.drill
async def test_a_paused_worker_doubles_nothing_once_others_have_its_messages(
    engine_database: str, tmp_path: Path, drill: Drill
) -> None:
    """Its steps take 0.3 s, so it surely holds messages."""
    setup = {"dsn": engine_database, "step": "rows", "call": 0.3, "concurrency": 4, "lease": LEASE}
    async with open_pool(engine_database) as pool:
        async with connection(pool) as conn:
            await conn.execute(TABLES)
        async with open_fleet("drill_worker.py", [msgspec.json.encode(setup).decode()], tmp_path, 2) as fleet:
            for number in range(WORKER_PAUSES):
                first = number * ORDERS_A_PAUSE
                await put_orders(pool, ORDERS_A_PAUSE, spread=4 * LEASE, rng=drill.rng, first=first)
                await asyncio.sleep(drill.rng.uniform(0.5, 1.5))  # the fault comes at any moment of the load
                paused = drill.rng.choice(fleet.running)
                paused.send_signal(signal.SIGSTOP)
                await asyncio.sleep(3 * LEASE)  # the fault
                paused.send_signal(signal.SIGCONT)
                await until(lambda: is_worked_off(pool), "all orders are through", seconds=60)
            lost = fleet.counted()["message_lost"]
        async with connection(pool) as conn:
            await check_orders(conn, WORKER_PAUSES * ORDERS_A_PAUSE)
    assert lost > 0
    drill.report(
        count=f"2 workers, {WORKER_PAUSES * ORDERS_A_PAUSE} orders, {WORKER_PAUSES} pauses of 3 leases",
        bound="no step lost or doubled, no process ends",
        worst=f"0 lost, 0 doubled, 0 ended; {lost} messages taken over",
    )


def written_after(ask: Callable[..., Awaitable[int]], token: int) -> Callable[[], Awaitable[bool]]:
    """Ask whether somebody wrote under a later token."""

    async def written() -> bool:
        return await ask("SELECT max(token) FROM drill_writes") > token

    return written


def logged_more(counted: Callable[[], dict[str, int]], event: str, than: int) -> Callable[[], Awaitable[bool]]:
    """Ask whether processes logged `event` again."""

    async def logged() -> bool:
        return counted()[event] > than

    return logged
