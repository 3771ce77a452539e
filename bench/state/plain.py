"""W6 with rows of a table instead of keys and values, as the swap store does it: `transaction` and `queue.finish`."""

import asyncio

from bench.report import Figure
from bench.state.loops import closed_loops
from bench.state.orders import STEPS, decode_order, encode_order, make_order, order_id
from bench.state.rig import Rig, working
from bench.state.steps import LAST_STEP, Step, message_of, moved_on, step_of
from bmn.core.errors import TransientError
from bmn.pg.pool import Pool, connection, transaction
from bmn.pg.queue import Claimed, enqueue, finish
from bmn.pg.wake import Topic

_FIRST = 7_000_000

_TABLE = """
CREATE TABLE bench_orders (id text PRIMARY KEY, status text NOT NULL, version bigint NOT NULL, data bytea NOT NULL);
CREATE INDEX ON bench_orders (status, id)
"""


async def measure_plain(rig: Rig, count: int) -> list[Figure]:
    """Live `count` orders, 50 in flight."""
    async with connection(rig.pool) as conn:
        await conn.execute(_TABLE)
    waiting: dict[str, asyncio.Event] = {}

    async def handle(claimed: Claimed) -> None:
        step = step_of(claimed)
        await _advance(rig, claimed, step)
        if step.step == LAST_STEP and step.id in waiting:  # not a redelivery
            waiting[step.id].set()

    async def live(number: int) -> None:
        order = order_id(_FIRST + number)
        lived = waiting[order] = asyncio.Event()
        await _create(rig.pool, _FIRST + number)
        rig.wake.signal(Topic.MESSAGES)
        await lived.wait()
        del waiting[order]

    async with working(rig, handle):
        taken = await closed_loops(count, 50, live)
    name = "whole order as rows of a table (W6, 50 in flight)"
    return [
        Figure(name=name, unit="orders/s", value=taken["ops_s"]),
        Figure(name=f"{name}, p50", unit="ms", value=taken["p50_ms"]),
    ]


async def _create(pool: Pool, number: int) -> None:
    order = make_order(number)
    async with transaction(pool) as conn:
        await conn.execute(
            "INSERT INTO bench_orders VALUES ($1, $2, $3, $4)",
            order["id"],
            order["status"],
            order["version"],
            encode_order(order),
        )
        await enqueue(conn, message_of(Step(id=order["id"], step=0, chain=True)))


async def _advance(rig: Rig, claimed: Claimed, step: Step) -> None:
    async with transaction(rig.pool) as conn:
        row = await conn.fetchrow("SELECT status, version, data FROM bench_orders WHERE id = $1", step.id)
        assert row is not None
        if row["status"] == STEPS[step.step]:
            moved = moved_on(decode_order(row["data"]), step.step + 1)
            updated = await conn.execute(
                "UPDATE bench_orders SET status = $3, version = $4, data = $5 WHERE id = $1 AND version = $2",
                step.id,
                row["version"],
                moved["status"],
                moved["version"],
                encode_order(moved),
            )
            if updated != "UPDATE 1":
                raise TransientError("ORDER_CHANGED", f"order {step.id} changed during the step")
            if step.step < LAST_STEP:
                await enqueue(conn, message_of(Step(id=step.id, step=step.step + 1, chain=True)))
        await finish(conn, claimed)
