"""The previous release goes on working while its database is upgraded and the new one starts beside it."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from tests.support import previous_release as previous
from tests.support.api_values import DST, SRC
from tests.support.stored_swaps import an_order

from bmn.app import LOCATIONS
from bmn.core.errors import ConfigError
from bmn.core.swap import Decision, State
from bmn.core.units import Hashlock, Secret
from bmn.pg.beside import running
from bmn.pg.migrate import check_version, plan, upgrade
from bmn.pg.pool import Pool, connection, open_pool, transaction
from bmn.pg.queue import Claimed, NewMessage, enqueue, finish
from bmn.pg.wake import Wake
from bmn.pg.worker import run_worker
from bmn.seams import SystemClock, SystemRng
from bmn.store.history import check_history
from bmn.store.orders import save_order
from bmn.store.swaps import create_swap, load_swap, save_decision

QUEUE = "orders:execution"
LONGEST_STALL = 5.0
"""Seconds that a transaction of a running program may take while its tables are changed; idle it takes milliseconds."""


@pytest.fixture
async def old_database(database: str, tmp_path: Path) -> str:
    """Address of a database as the previous release left it."""
    await upgrade(database, previous.locations(tmp_path, LOCATIONS))
    return database


@pytest.fixture
async def sessions(old_database: str) -> AsyncIterator["asyncpg.Pool[asyncpg.Record]"]:
    async with asyncpg.create_pool(old_database, min_size=1, max_size=6) as pool:
        yield pool


def word(number: int, size: int = 32) -> bytes:
    return number.to_bytes(size, "big")


async def fill(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    """Put a row into every table, with the statements of the previous release; nobody touches them later."""
    signed, terms = an_order(1, secret=Secret(word(1)))
    await previous.Process(pool, "museum").accept(signed, terms)
    lock = terms.hashlock
    async with pool.acquire() as conn:
        await conn.execute(previous.SECRET, lock, b"sealed")
        await conn.execute(previous.EVIDENCE, lock, json.dumps({"checked": [1, 2]}))
        await conn.execute(previous.HEAD, SRC, 7, word(7), 1700, 5, 1698)
        await conn.execute(previous.BLOCK, SRC, 7, word(7), word(6), 1700)
        place = (SRC, word(7), 0, 7, 1700, word(70), word(3, 20), "src_withdrawn")
        await conn.execute(previous.EVENT, *place, lock, terms.order_hash, word(4, 20), None, word(1), "{}", False)
        escrow = (SRC, word(4, 20), word(7), "src", lock, terms.order_hash, bytes(256), bytes(160), 7, 1700, word(70))
        await conn.execute(previous.ESCROW, *escrow)
        await conn.execute(previous.STRANGER, SRC, "src_withdrawn", 3)
        intent = await conn.fetchval(previous.INTENT, "fill", 0, SRC, word(5, 20), 9, word(6, 20), b"\1\2", 10**20, 1)
        await conn.execute(previous.TX, word(80), intent, SRC, word(5, 20), 9, b"\x02raw", 10**11, 10**9, 7, False)
        assert await conn.fetchval(previous.LEASE, "museum", "holder", 3600.0)
        for number in (1, 2, 3):  # one to be worked on, one to be dead, one that waits
            await conn.execute(previous.ENQUEUE, "museum", "k@1", 1, 0.0, None, b"payload", None, 5, f"trace-{number}")
        held = await conn.fetch(previous.CLAIM, ["museum"], [1], 2, 3600.0)
        await conn.execute(previous.BURY, held[0]["id"], held[0]["token"], "it broke")


async def snapshot(pool: "asyncpg.Pool[asyncpg.Record]") -> dict[str, list[dict[str, Any]]]:
    """Return every row of every table."""
    found = {}
    async with pool.acquire() as conn:
        tables = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
        for table in sorted(row[0] for row in await conn.fetch(tables)):
            rows = await conn.fetch(f"SELECT to_jsonb(t)::text FROM {table} t ORDER BY 1")
            found[table] = [json.loads(row[0]) for row in rows]
    return found


async def test_an_upgrade_keeps_every_row_of_every_table(
    old_database: str, sessions: "asyncpg.Pool[asyncpg.Record]"
) -> None:
    await fill(sessions)
    before = await snapshot(sessions)
    assert all(before.values()), [table for table, rows in before.items() if not rows]
    with pytest.raises(ConfigError, match="DATABASE_OLDER"):
        await check_version(old_database, LOCATIONS)
    planned = [revision.name for revision in await plan(old_database, LOCATIONS)]
    assert await upgrade(old_database, LOCATIONS) == planned
    assert planned
    assert all(name[:4] > previous.LAST_REVISION and "_pre_" in name for name in planned)
    after = await snapshot(sessions)
    for table in before.keys() - {"bmn_version"}:
        assert len(after[table]) == len(before[table])
        for row in before[table]:
            assert any(row.items() <= kept.items() for kept in after[table]), (table, row)


async def test_an_upgrade_numbers_what_there_was_in_the_order_it_came(
    old_database: str, sessions: "asyncpg.Pool[asyncpg.Record]"
) -> None:
    old = previous.Process(sessions, QUEUE)
    for number in range(100, 200):
        await old.accept(*an_order(number, secret=Secret(word(number))))
    junk = await sessions.fetch("SELECT hashlock FROM orders")
    locks = [an_order(number, secret=Secret(word(number)))[1].hashlock for number in (1, 2)]
    await old.accept(*an_order(1, secret=Secret(word(1))))
    for table in ("swap_events", "swaps", "orders"):
        lost = [row["hashlock"] for row in junk]
        await sessions.execute(f"DELETE FROM {table} WHERE hashlock = ANY ($1)", lost)
        await sessions.execute(f"VACUUM {table}")  # leaves room before the first, as transactions that failed do
    await sessions.execute("DELETE FROM messages WHERE key <> $1", locks[0])
    await old.accept(*an_order(2, secret=Secret(word(2))))

    async def nothing_waits() -> bool:
        return bool(await sessions.fetchval("SELECT count(*) = 0 FROM messages"))

    async with running(old.work()):
        await until(nothing_waits)
    await upgrade(old_database, LOCATIONS)
    events = await sessions.fetch("SELECT number FROM swap_events WHERE hashlock = $1 ORDER BY version", locks[0])
    numbers = [row["number"] for row in events]
    assert len(numbers) == 1 + len(previous.STEPS)
    assert numbers == sorted(numbers)
    assert [row["hashlock"] for row in await sessions.fetch("SELECT hashlock FROM orders ORDER BY number")] == locks
    async with open_pool(old_database, size=2) as pool:
        await NewProcess(pool).accept(3)
    assert await sessions.fetchval("SELECT array_agg(number ORDER BY number) FROM orders") == [1, 2, 3]


class NewProcess:
    """One process of this release, on the same swaps."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.moved = 0

    async def work(self) -> None:
        clock, rng = SystemClock(), SystemRng()
        await run_worker(self._pool, [QUEUE], self._handle, concurrency=2, wake=Wake(), clock=clock, rng=rng)

    async def accept(self, number: int) -> None:
        signed, terms = an_order(number, secret=Secret(word(number)))
        async with transaction(self._pool) as conn:
            assert await save_order(conn, signed, terms)
            await create_swap(conn, terms.hashlock, SRC, DST, actor="new")
            await enqueue(conn, _wake(terms.hashlock))

    async def _handle(self, claimed: Claimed) -> None:
        async with transaction(self._pool) as conn:
            swap = await load_swap(conn, Hashlock(claimed.payload))
            assert swap is not None
            if swap.version <= len(previous.STEPS):
                state, reason = previous.STEPS[swap.version - 1]
                decision = Decision(state=State(state), actions=(), reason=reason)
                assert await save_decision(conn, swap, decision, actor="new")
                if swap.version < len(previous.STEPS):
                    await enqueue(conn, _wake(swap.hashlock))
            await finish(conn, claimed)
        self.moved += 1


def _wake(hashlock: Hashlock) -> NewMessage:
    return NewMessage(
        queue=QUEUE, kind="advance_swap@1", payload=bytes(hashlock), key=bytes(hashlock), dedup=hashlock.hex()
    )


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await condition():
            await asyncio.sleep(0)


async def test_both_releases_work_on_while_the_database_is_upgraded(
    old_database: str, sessions: "asyncpg.Pool[asyncpg.Record]"
) -> None:
    old, numbers = previous.Process(sessions, QUEUE), count(2)

    async def accept_on() -> None:
        while True:
            number = next(numbers)
            await old.accept(*an_order(number, secret=Secret(word(number))))

    async def is_warm() -> bool:
        return old.moved >= 50

    async def nothing_waits() -> bool:
        return bool(await sessions.fetchval("SELECT count(*) = 0 FROM messages"))

    async with running(old.work()), running(old.work()):
        async with running(accept_on()):
            await until(is_warm)
            await upgrade(old_database, LOCATIONS)
            print(f"longest transaction of the previous release: {old.longest:.2f} s")
            assert old.longest < LONGEST_STALL
            async with open_pool(old_database, size=6) as pool:
                new, so_far = NewProcess(pool), old.moved

                async def both_moved() -> bool:
                    return old.moved >= so_far + 50 and new.moved >= 50

                async with running(new.work()):
                    for _ in range(10):
                        await new.accept(next(numbers))
                    await until(both_moved)
        # Nothing more comes in; the new process that stopped is followed by another.
        async with open_pool(old_database, size=6) as pool, running(NewProcess(pool).work()):
            await until(nothing_waits)

    swaps = await sessions.fetch("SELECT hashlock, version, terminal FROM swaps")
    assert len(swaps) == await sessions.fetchval("SELECT count(*) FROM orders")
    assert {(swap["version"], swap["terminal"]) for swap in swaps} == {(len(previous.STEPS) + 1, True)}
    assert await sessions.fetchval("SELECT count(*) FROM swap_events") == len(swaps) * (len(previous.STEPS) + 1)
    async with open_pool(old_database) as pool, connection(pool) as conn:
        assert await check_history(conn) == []
