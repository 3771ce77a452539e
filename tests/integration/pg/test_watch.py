"""Watching keys over a real server; the other process is a second `Kv` with a `Wake` of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from bmn.core.errors import Refused
from bmn.pg.beside import running
from bmn.pg.entries import Change
from bmn.pg.kv import Commit, Delete, Kv, Set, open_kv
from bmn.pg.pool import Pool, connection, open_pool
from bmn.pg.wake import Wake, run_wake
from bmn.pg.watch import WIDEST
from bmn.seams import SystemClock

BOUND = 10.0
"""Seconds; a loaded machine is slow, a lost change would never come."""


@pytest.fixture
async def pool(engine_database: str) -> AsyncIterator[Pool]:
    async with open_pool(engine_database, size=16) as opened:
        yield opened


@pytest.fixture
async def kv(pool: Pool) -> AsyncIterator[Kv]:
    async with open_kv(pool, Wake()) as opened:
        yield opened


@pytest.fixture
async def elsewhere(pool: Pool) -> AsyncIterator[Kv]:
    """Changes made here come to `kv` by polling only."""
    async with open_kv(pool, Wake()) as opened:
        yield opened


async def following(changes: AsyncIterator[Change]) -> tuple[str, bytes | None]:
    async with asyncio.timeout(BOUND):
        change = await anext(changes)
    return change.key, None if change.entry is None else change.entry.value


async def test_a_watcher_gets_what_is_there_and_then_each_change(kv: Kv) -> None:
    await kv.set("a", b"1")
    async with kv.watch(["a", "b"]) as changes:
        assert await following(changes) == ("a", b"1")
        await kv.set("b", b"2")
        assert await following(changes) == ("b", b"2")
        await kv.set("other", b"3")
        await kv.delete("a")
        assert await following(changes) == ("a", None)


async def test_a_change_by_another_process_is_found_by_polling(kv: Kv, elsewhere: Kv) -> None:
    async with kv.watch_prefix("orders/") as changes:
        await elsewhere.set("orders/1", b"1")
        assert await following(changes) == ("orders/1", b"1")
        await elsewhere.set("orders/1", b"2")
        assert await following(changes) == ("orders/1", b"2")
        await elsewhere.delete("orders/1")
        assert await following(changes) == ("orders/1", None)
        await elsewhere.set("orders/1", b"3")
        assert await following(changes) == ("orders/1", b"3")


@asynccontextmanager
async def carried(dsn: str, pool: Pool) -> AsyncIterator[Kv]:
    wake = Wake()
    async with open_kv(pool, wake) as kv, running(run_wake(dsn, wake, SystemClock())):
        yield kv


async def test_notifications_bring_the_changes_of_other_processes(engine_database: str, pool: Pool) -> None:
    async with (
        carried(engine_database, pool) as kv,
        carried(engine_database, pool) as elsewhere,
        kv.watch_prefix("a") as changes,
    ):
        for number in range(50):
            await elsewhere.set("a", b"%d" % number)
            assert await following(changes) == ("a", b"%d" % number)


async def test_a_slow_reader_gets_the_last_value_of_each_key_and_never_an_older_one(kv: Kv, elsewhere: Kv) -> None:
    async with kv.watch_prefix("k") as changes:
        for round_ in range(5):
            writer = kv if round_ % 2 else elsewhere
            await asyncio.gather(*(writer.set(f"k{number:03}", b"%d" % round_) for number in range(600)))
        newest: dict[str, int] = {}
        seen: dict[str, int] = {}
        async with asyncio.timeout(BOUND * 2):
            while len(newest) < 600 or set(newest.values()) != {4}:
                change = await anext(changes)
                assert change.entry is not None
                assert change.version > seen.get(change.key, 0)
                seen[change.key] = change.version
                newest[change.key] = int(change.entry.value)


async def test_a_watcher_that_was_cut_off_misses_nothing(kv: Kv, elsewhere: Kv, pool: Pool) -> None:
    await kv.set("gone", b"1")
    async with kv.watch_prefix("") as changes:
        assert await following(changes) == ("gone", b"1")
        async with pool.acquire() as conn:
            await conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        async with connection(pool) as conn:
            await conn.execute("DELETE FROM kv")
            await conn.execute("INSERT INTO kv (key, value, version) VALUES ('new', '', nextval('kv_version'))")
        found = {(await following(changes))[0] for _ in range(2)}
        assert found == {"gone", "new"}


async def test_a_deletion_is_told_only_of_a_key_that_was_told_to_exist(kv: Kv) -> None:
    async with kv.watch(["a"]) as changes:
        for _ in range(20):
            await kv.set("a", b"1")
            await kv.delete("a")
        await kv.set("a", b"end")
        exists = False
        while True:
            key, value = await following(changes)
            assert key == "a"
            assert value is not None or exists
            exists = value is not None
            if value == b"end":
                break


async def test_a_key_that_came_and_went_before_it_was_told_is_not_told_as_gone(kv: Kv) -> None:
    async with kv.watch(["a", "b"]) as changes:
        await kv.set("a", b"1")
        await kv.delete("a")
        await kv.set("b", b"2")
        assert await following(changes) == ("b", b"2")


async def test_an_expired_key_is_told_as_gone(kv: Kv) -> None:
    await kv.set("a", b"1")
    async with kv.watch(["a"]) as changes:
        assert await following(changes) == ("a", b"1")
        await kv.set("a", b"2", expires_in=0.2)
        assert await following(changes) == ("a", b"2")
        assert await following(changes) == ("a", None)


async def test_many_watchers_each_get_everything(kv: Kv) -> None:
    async with AsyncExitStack() as stack:
        watchers = [await stack.enter_async_context(kv.watch(["a"])) for _ in range(10)]
        await kv.commit(Commit(changes=(Set(key="a", value=b"1"), Delete(key="b"))))
        for changes in watchers:
            assert await following(changes) == ("a", b"1")


async def test_a_watch_that_is_too_wide_is_refused(kv: Kv, pool: Pool) -> None:
    fill = "INSERT INTO kv (key, value, version) SELECT 'k' || n, '', 1 FROM generate_series(1, $1::int) AS n"
    async with connection(pool) as conn:
        await conn.execute(fill, WIDEST)
    async with kv.watch_prefix("k") as changes:
        await following(changes)
    await kv.set("kk", b"one more")

    async def watch() -> None:
        async with kv.watch_prefix("k") as changes:
            async for _ in changes:
                pass

    with pytest.raises(Refused, match="WATCH_TOO_WIDE"):
        await watch()
    with pytest.raises(Refused, match="WATCH_TOO_WIDE"):
        async with kv.watch([str(number) for number in range(WIDEST + 1)]):
            pass
