"""Transfers of the drills: few accounts, locked by many at once in any order, so that transactions fail each other."""

import random

from tests.support.drill_orders import QUEUE

from bmn.pg.pool import Connection, Pool, transaction
from bmn.pg.queue import Claimed, NewMessage, enqueue, finish

ACCOUNTS = 16
EACH = 1000

TABLES = """
CREATE TABLE drill_accounts (id integer PRIMARY KEY, amount integer NOT NULL);
CREATE TABLE drill_transfers (number integer NOT NULL, attempts integer NOT NULL);
"""


async def put_transfers(pool: Pool, count: int, rng: random.Random) -> None:
    """Make the accounts, and `count` messages that each move 1 from one to another; every second one serializably."""
    async with transaction(pool) as conn:
        for account in range(ACCOUNTS):
            await conn.execute("INSERT INTO drill_accounts VALUES ($1, $2)", account, EACH)
        for number in range(count):
            giver, taker = rng.sample(range(ACCOUNTS), 2)
            payload = b"%d %d %d" % (number, giver, taker)
            await enqueue(conn, NewMessage(queue=QUEUE, kind="transfer@1", payload=payload))


async def move(pool: Pool, claimed: Claimed) -> None:
    """Move the amount; giver before taker, which is the order that deadlocks."""
    number, giver, taker = map(int, claimed.payload.split())
    async with transaction(pool) as conn:
        if number % 2:
            await conn.execute("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
        await conn.execute("UPDATE drill_accounts SET amount = amount - 1 WHERE id = $1", giver)
        await conn.execute("UPDATE drill_accounts SET amount = amount + 1 WHERE id = $1", taker)
        await conn.execute("INSERT INTO drill_transfers VALUES ($1, $2)", number, claimed.attempts)
        await finish(conn, claimed)


async def check_transfers(conn: Connection, count: int) -> int:
    """Fail unless each transfer took place once; return the most attempts that one needed."""
    assert await conn.fetchval("SELECT sum(amount) FROM drill_accounts") == ACCOUNTS * EACH
    row = await conn.fetchrow("SELECT count(*), count(DISTINCT number), max(attempts) FROM drill_transfers")
    assert row is not None
    assert tuple(row)[:2] == (count, count)
    assert await conn.fetchval("SELECT count(*) FROM messages") == 0
    assert await conn.fetchval("SELECT count(*) FROM dead_messages") == 0
    return int(row["max"])
