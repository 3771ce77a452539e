"""Orders of the drills: rows that go from version 0 to 4, one message for each step."""

import asyncio
import random

from bmn.core.errors import InvariantViolation
from bmn.pg.pool import Connection, Pool, connection, transaction
from bmn.pg.queue import Claimed, NewMessage, enqueue, finish

QUEUE = "drill"
STEPS = 4

TABLES = """
CREATE TABLE drill_orders (id integer PRIMARY KEY, version integer NOT NULL);
CREATE TABLE drill_steps (id bigint GENERATED ALWAYS AS IDENTITY, order_id integer NOT NULL, version integer NOT NULL);
"""
"""Nothing refuses a doubled step: it has to be seen."""


async def put_orders(pool: Pool, count: int, *, spread: float, rng: random.Random, first: int = 0) -> None:
    """Make orders whose first steps are due over `spread` seconds."""
    async with transaction(pool) as conn:
        for order in range(first, first + count):
            await conn.execute("INSERT INTO drill_orders (id, version) VALUES ($1, 0)", order)
            await enqueue(conn, step(order, 0, delay=rng.uniform(0, spread)))


def step(order: int, version: int, *, delay: float = 0.0) -> NewMessage:
    """Return the message that moves `order` on from `version`."""
    return NewMessage(
        queue=QUEUE, kind="step@1", payload=b"%d %d" % (order, version), key=b"order %d" % order, delay=delay
    )


async def move(pool: Pool, claimed: Claimed, *, call: float) -> None:
    """Move the order one version, put the next message and finish this one: all or nothing."""
    order, expected = map(int, claimed.payload.split())
    async with connection(pool) as conn:
        version = await conn.fetchval("SELECT version FROM drill_orders WHERE id = $1", order)
    await asyncio.sleep(call)
    async with transaction(pool) as conn:
        await finish(conn, claimed)  # first: what was read before may be old if the message is not ours any more
        if version != expected:
            raise InvariantViolation("DRILL_VERSION", f"order {order} is at {version}, its message at {expected}")
        moved = "UPDATE drill_orders SET version = version + 1 WHERE id = $1 AND version = $2"
        if await conn.execute(moved, order, version) != "UPDATE 1":
            raise InvariantViolation("DRILL_VERSION", f"order {order} moved while it was ours")
        await conn.execute("INSERT INTO drill_steps (order_id, version) VALUES ($1, $2)", order, version + 1)
        if version + 1 < STEPS:
            await enqueue(conn, step(order, version + 1))


async def count_steps(pool: Pool) -> int:
    """Return how many steps stand."""
    async with connection(pool) as conn:
        return int(await conn.fetchval("SELECT count(*) FROM drill_steps"))


async def is_worked_off(pool: Pool) -> bool:
    """Whether no message is left."""
    async with connection(pool) as conn:
        return not await conn.fetchval("SELECT EXISTS (SELECT FROM messages)")


async def check_orders(conn: Connection, count: int) -> None:
    """Fail unless each of `count` orders went through each step once, and no message is left or was given up."""
    versions = await conn.fetch("SELECT version, count(*) FROM drill_orders GROUP BY version")
    assert [tuple(row) for row in versions] == [(STEPS, count)]
    steps = await conn.fetchrow("SELECT count(*), count(DISTINCT (order_id, version)) FROM drill_steps")
    assert steps is not None
    assert tuple(steps) == (STEPS * count, STEPS * count)
    assert await conn.fetchval("SELECT count(*) FROM messages") == 0
    assert await conn.fetchval("SELECT count(*) FROM dead_messages") == 0
