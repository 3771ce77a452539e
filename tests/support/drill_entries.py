"""Orders of the drills as entries of the key-value table; the rest as in `drill_orders`."""

import asyncio
import random

from tests.support.drill_orders import STEPS, step

from bmn.core.errors import TransientError
from bmn.pg.kv import Check, Commit, Kv, Set, apply_commit
from bmn.pg.pool import Connection, Pool, connection, transaction
from bmn.pg.queue import Claimed

TABLES = "SELECT 1"
"""None but the engine's."""


async def put_orders(pool: Pool, count: int, *, spread: float, rng: random.Random, first: int = 0) -> None:
    """Make orders whose first steps are due over `spread` seconds."""
    async with transaction(pool) as conn:
        for order in range(first, first + count):
            entry = Set(key=_order(order), value=b"0", tag="open")
            message = step(order, 0, delay=rng.uniform(0, spread))
            await apply_commit(conn, Commit(changes=(entry,), messages=(message,)))


async def move(kv: Kv, claimed: Claimed, *, call: float) -> None:
    """Move the order one version, put the next message and finish this one: one commit."""
    order, expected = map(int, claimed.payload.split())
    entry = await kv.get(_order(order))
    assert entry is not None
    await asyncio.sleep(call)
    version = int(entry.value) + 1
    if version != expected + 1:
        raise TransientError("DRILL_VERSION", f"order {order} is at {entry.value!r}, its message at {expected}")
    last = version == STEPS
    commit = Commit(
        checks=(Check(key=_order(order), version=entry.version),),
        changes=(
            Set(key=_order(order), value=b"%d" % version, tag="done" if last else "open"),
            # A key for each attempt: a doubled step has to be seen.
            Set(key=f"drill/step/{order:05}/{version}/{claimed.token}", value=b""),
        ),
        messages=() if last else (step(order, version),),
        finishes=(claimed,),
    )
    if await kv.commit(commit) is None:
        raise TransientError("DRILL_MOVED", f"order {order} moved meanwhile")


async def count_steps(pool: Pool) -> int:
    """Return how many steps stand."""
    async with connection(pool) as conn:
        return int(await conn.fetchval("SELECT count(*) FROM kv WHERE key LIKE 'drill/step/%'"))


async def check_orders(conn: Connection, count: int) -> None:
    """Fail unless each of `count` orders went through each step once, and no message is left or was given up."""
    orders = "SELECT value, tag, count(*) FROM kv WHERE key LIKE 'drill/order/%' GROUP BY value, tag"
    assert [tuple(row) for row in await conn.fetch(orders)] == [(b"%d" % STEPS, "done", count)]
    steps = "SELECT count(*), count(DISTINCT left(key, 18)) FROM kv WHERE key LIKE 'drill/step/%'"
    assert [tuple(row) for row in await conn.fetch(steps)] == [(STEPS * count, STEPS * count)]
    assert await conn.fetchval("SELECT count(*) FROM messages") == 0
    assert await conn.fetchval("SELECT count(*) FROM dead_messages") == 0


def _order(order: int) -> str:
    return f"drill/order/{order:05}"
