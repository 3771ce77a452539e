"""Workers die by kill -9, one each second, and nobody notices in the orders."""

import asyncio
import random
from pathlib import Path
from typing import Protocol

import msgspec
import pytest
from asyncpg import Record
from tests.support import drill_entries, drill_orders
from tests.support.drill_case import FULL, SLACK_SECONDS, Drill, until
from tests.support.drill_fleet import open_fleet
from tests.support.drill_orders import is_worked_off

from bmn.pg.pool import Connection, Pool, connection, open_pool
from bmn.pg.worker import LEASE_SECONDS

ORDERS, SECONDS = (2000, 30) if FULL else (120, 4)
WORKERS = 4
BOUND = LEASE_SECONDS + (1.0 if FULL else SLACK_SECONDS)

_HELD = "SELECT id, lease_token FROM messages WHERE lease_token IS NOT NULL AND attempts < 3"
"""From the third death of its workers on, a message waits a second or more on purpose: it may be what kills them."""

_LEFT = """
SELECT messages.id, lease_token, attempts, lease_until - clock_timestamp() AS ends, run_at - clock_timestamp() AS due
FROM messages JOIN unnest($1::bigint[], $2::bigint[]) AS held (id, token) USING (id)
WHERE lease_token = token OR (lease_token IS NULL AND run_at <= clock_timestamp())
"""
"""One that waits for its time failed in hands that live."""


async def recovery(pool: Pool) -> float:
    """Return after how many seconds everything that is held now was finished, or claimed again."""
    async with connection(pool) as conn:
        held = await conn.fetch(_HELD)
    ids, tokens = [row["id"] for row in held], [row["lease_token"] for row in held]
    left: list[Record] = held

    async def recovered() -> bool:
        nonlocal left
        async with connection(pool) as conn:
            left = await conn.fetch(_LEFT, ids, tokens)
        return not left

    try:
        return await until(recovered, "what a killed worker held goes on", seconds=BOUND)
    except AssertionError as error:
        error.add_note(str(left))
        raise


class Form(Protocol):
    """How orders are stored: a module, `drill_orders` or `drill_entries`."""

    TABLES: str

    async def put_orders(self, pool: Pool, count: int, *, spread: float, rng: random.Random) -> None: ...
    async def check_orders(self, conn: Connection, count: int) -> None: ...


@pytest.mark.drill
async def test_each_order_moves_exactly_once_while_workers_are_killed(
    engine_database: str, tmp_path: Path, drill: Drill
) -> None:
    await play(drill_orders, "rows", engine_database, tmp_path, drill)


@pytest.mark.drill
async def test_each_order_in_the_key_value_table_moves_exactly_once_while_workers_are_killed(
    engine_database: str, tmp_path: Path, drill: Drill
) -> None:
    await play(drill_entries, "entries", engine_database, tmp_path, drill)


async def play(form: Form, step: str, dsn: str, tmp_path: Path, drill: Drill) -> None:
    recoveries: list[float] = []
    setup = msgspec.json.encode({"dsn": dsn, "step": step}).decode()
    async with open_pool(dsn) as pool:
        async with connection(pool) as conn:
            await conn.execute(form.TABLES)
        async with open_fleet("drill_worker.py", [setup], tmp_path, WORKERS) as fleet:
            await form.put_orders(pool, ORDERS, spread=SECONDS, rng=drill.rng)

            async def kill_one() -> None:
                fleet.kill(drill.rng.choice(fleet.running))
                fleet.start()
                recoveries.append(await recovery(pool))

            async with asyncio.TaskGroup() as group:
                for _ in range(SECONDS):
                    group.create_task(kill_one())
                    await asyncio.sleep(1)  # one fault each second
            await until(lambda: is_worked_off(pool), "all orders are through", seconds=60)
        async with connection(pool) as conn:
            await form.check_orders(conn, ORDERS)
    drill.report(
        count=f"{WORKERS} workers, {ORDERS} orders of 4 steps, {SECONDS} kills",
        bound=f"no step lost or doubled; what a dead worker held goes on within {BOUND:.0f} s",
        worst=f"0 lost, 0 doubled; {max(recoveries):.1f} s",
    )
