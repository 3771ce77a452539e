"""Keys and values over a real server."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import asyncpg
import pytest

from bmn.core.errors import BadInput
from bmn.pg.entries import Entry
from bmn.pg.errors import LostLease
from bmn.pg.kv import (
    LARGEST_VALUE,
    LONGEST_KEY,
    Check,
    Commit,
    Delete,
    Kv,
    Set,
    apply_commit,
    open_kv,
    sweep_expired_entries,
)
from bmn.pg.pool import Pool, connection, open_pool, transaction
from bmn.pg.queue import NewMessage, Priority, claim, enqueue, sweep_expired
from bmn.pg.wake import Topic, Wake

GONE = -1.0
"""Seconds: expired already."""


@pytest.fixture
async def pool(engine_database: str) -> AsyncIterator[Pool]:
    async with open_pool(engine_database) as opened:
        yield opened


@pytest.fixture
async def kv(pool: Pool) -> AsyncIterator[Kv]:
    async with open_kv(pool, Wake()) as opened:
        yield opened


def message(payload: bytes = b"x", dedup: str | None = None) -> NewMessage:
    return NewMessage(queue="q", kind="k@1", payload=payload, dedup=dedup)


async def count(pool: Pool, table: str = "messages") -> int:
    async with connection(pool) as conn:
        return int(await conn.fetchval(f"SELECT count(*) FROM {table}"))


async def test_a_key_holds_what_was_set_last(kv: Kv) -> None:
    assert await kv.get("a") is None
    first = await kv.set("a", b"1")
    second = await kv.set("a", b"\x00\xff", tag="t")
    assert second > first
    assert await kv.get("a") == Entry(key="a", value=b"\x00\xff", version=second, tag="t")


async def test_many_keys_are_read_as_of_one_moment_in_the_order_asked(kv: Kv) -> None:
    await kv.set("b", b"2")
    await kv.set("a", b"1")
    found = await kv.get_many(["a", "missing", "b"])
    assert [None if one is None else one.value for one in found] == [b"1", None, b"2"]
    assert await kv.get_many([]) == []


async def test_a_deleted_key_is_gone_and_its_version_still_rises(kv: Kv) -> None:
    before = await kv.set("a", b"1")
    await kv.delete("a")
    await kv.delete("a")
    assert await kv.get("a") is None
    assert await kv.set("a", b"1") > before


async def test_a_check_passes_at_its_version_and_fails_at_any_other(kv: Kv) -> None:
    old = await kv.set("a", b"1")
    now = await kv.set("a", b"2")
    change = (Set(key="a", value=b"3"),)
    for wrong in (old, now + 1, None):
        assert await kv.commit(Commit(checks=(Check(key="a", version=wrong),), changes=change)) is None
    entry = await kv.get("a")
    assert entry is not None
    assert entry.value == b"2"
    assert await kv.commit(Commit(checks=(Check(key="a", version=now),), changes=change)) is not None


async def test_a_key_that_must_not_exist_is_created_once(kv: Kv) -> None:
    create = Commit(checks=(Check(key="a", version=None),), changes=(Set(key="a", value=b"1"),))
    answers = await asyncio.gather(*(kv.commit(create) for _ in range(20)))
    assert len([answer for answer in answers if answer is not None]) == 1


async def test_all_changes_and_messages_of_a_commit_stand_or_none(kv: Kv, pool: Pool) -> None:
    await kv.set("b", b"old")
    changes = (Set(key="a", value=b"1"), Delete(key="b"))
    refused = Commit(checks=(Check(key="c", version=7),), changes=changes, messages=(message(),))
    assert await kv.commit(refused) is None
    assert (await kv.get("a"), await count(pool)) == (None, 0)
    assert await kv.get("b") is not None
    assert await kv.commit(Commit(changes=changes, messages=(message(),))) is not None
    assert (await kv.get("b"), await count(pool)) == (None, 1)


async def test_commits_that_share_a_statement_stand_and_fail_each_for_itself(pool: Pool) -> None:
    async with open_kv(pool, Wake()) as kv:
        await kv.set("taken", b"1")
        commits = [
            Commit(
                checks=(Check(key="taken" if number % 2 else f"free{number}", version=None),),
                changes=(Set(key=f"key{number}", value=b"1"),),
                messages=(message(b"%d" % number),),
            )
            for number in range(40)
        ]
        answers = await asyncio.gather(*(kv.commit(commit) for commit in commits))
    assert [answer is not None for answer in answers] == [number % 2 == 0 for number in range(40)]
    assert await count(pool) == 20
    assert await count(pool, "kv") == 21


async def test_commits_to_one_key_follow_one_another(kv: Kv) -> None:
    async def add_one() -> None:
        while True:
            entry = await kv.get("counter")
            value = 0 if entry is None else int(entry.value)
            check = Check(key="counter", version=None if entry is None else entry.version)
            if await kv.commit(Commit(checks=(check,), changes=(Set(key="counter", value=b"%d" % (value + 1)),))):
                return

    await asyncio.gather(*(add_one() for _ in range(30)))
    entry = await kv.get("counter")
    assert entry is not None
    assert entry.value == b"30"


async def test_sets_of_one_key_by_one_process_keep_their_order(kv: Kv) -> None:
    await asyncio.gather(*(kv.set("a", b"%d" % number) for number in range(50)))
    entry = await kv.get("a")
    assert entry is not None
    assert entry.value == b"49"


async def test_a_blind_set_does_not_slip_between_a_check_and_its_change(pool: Pool) -> None:
    """The check holds until the transaction ends, also for a key that does not exist."""
    create = Commit(checks=(Check(key="a", version=None),), changes=(Set(key="a", value=b"created"),))
    async with open_kv(pool, Wake()) as kv:
        async with transaction(pool) as conn:
            assert await apply_commit(conn, create) is not None
            setting = asyncio.create_task(kv.set("a", b"set"))
            async with connection(pool) as other:
                while not await other.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"):
                    await asyncio.sleep(0)
            assert not setting.done()
        version = await setting
        assert await kv.get("a") == Entry(key="a", value=b"set", version=version, tag=None)


async def test_a_commit_joins_the_callers_transaction(pool: Pool, kv: Kv) -> None:
    async def commit_and_fail() -> None:
        async with transaction(pool) as conn:
            assert await apply_commit(conn, Commit(changes=(Set(key="a", value=b"1"),), messages=(message(),)))
            await conn.execute("SELECT 1/0")

    with pytest.raises(asyncpg.DivisionByZeroError):
        await commit_and_fail()
    assert (await kv.get("a"), await count(pool)) == (None, 0)


async def test_a_message_ends_with_the_commit_of_its_result(kv: Kv, pool: Pool) -> None:
    await kv.commit(Commit(messages=(message(b"first"),)))
    [claimed] = await claim(pool, ["q"], 1, 60)
    step = Commit(changes=(Set(key="a", value=b"1"),), messages=(message(b"next"),), finishes=(claimed,))
    assert not claimed.finished.is_set()
    assert await kv.commit(step) is not None
    assert claimed.finished.is_set()
    [following] = await claim(pool, ["q"], 9, 60)
    assert following.payload == b"next"


async def test_a_late_workers_commit_is_refused_whole(kv: Kv, pool: Pool) -> None:
    await kv.commit(Commit(messages=(message(),)))
    [claimed] = await claim(pool, ["q"], 1, 60)
    async with connection(pool) as conn:
        await conn.execute("UPDATE messages SET lease_token = nextval('fence')")
    with pytest.raises(LostLease):
        await kv.commit(Commit(changes=(Set(key="a", value=b"1"),), messages=(message(),), finishes=(claimed,)))
    assert (await kv.get("a"), await count(pool), claimed.finished.is_set()) == (None, 1, False)


async def test_a_refused_commit_does_not_finish_its_message(kv: Kv, pool: Pool) -> None:
    await kv.commit(Commit(messages=(message(),)))
    [claimed] = await claim(pool, ["q"], 1, 60)
    assert await kv.commit(Commit(checks=(Check(key="a", version=1),), finishes=(claimed,))) is None
    assert await count(pool) == 1
    assert await kv.commit(Commit(finishes=(claimed,))) is not None
    assert await count(pool) == 0


async def test_of_several_messages_all_end_or_none(kv: Kv, pool: Pool) -> None:
    await kv.commit(Commit(messages=(message(b"1"), message(b"2"))))
    first, second = await claim(pool, ["q"], 2, 60)
    async with connection(pool) as conn:
        await conn.execute("UPDATE messages SET lease_token = nextval('fence') WHERE id = $1", second.id)
    # Others in the same statement are not drawn in.
    lost, *others = await asyncio.gather(
        kv.commit(Commit(changes=(Set(key="a", value=b"1"),), finishes=(first, second))),
        *(kv.set(f"b{number}", b"1") for number in range(5)),
        return_exceptions=True,
    )
    assert isinstance(lost, LostLease)
    assert all(isinstance(other, int) for other in others)
    assert (await kv.get("a"), await count(pool)) == (None, 2)


async def test_a_late_workers_commit_is_refused_though_it_goes_together_with_the_owners(kv: Kv, pool: Pool) -> None:
    await kv.commit(Commit(messages=(message(),)))
    [late] = await claim(pool, ["q"], 1, -1)
    assert await sweep_expired(pool) == 1
    [owner] = await claim(pool, ["q"], 1, 60)
    busy, refused, version = await asyncio.gather(
        kv.set("busy", b"1"),  # those who come meanwhile share the next statement
        kv.commit(Commit(changes=(Set(key="late", value=b"1"),), finishes=(late,))),
        kv.commit(Commit(changes=(Set(key="owner", value=b"1"),), finishes=(owner,))),
        return_exceptions=True,
    )
    assert isinstance(refused, LostLease)
    assert isinstance(busy, int)
    assert isinstance(version, int)
    assert (await kv.get("late"), late.finished.is_set(), await count(pool)) == (None, False, 0)


async def test_a_message_that_is_finished_twice_at_once_ends_once(kv: Kv, pool: Pool) -> None:
    await kv.commit(Commit(messages=(message(),)))
    [claimed] = await claim(pool, ["q"], 1, 60)
    answers = await asyncio.gather(
        kv.set("busy", b"1"),
        *(kv.commit(Commit(changes=(Set(key=f"k{n}", value=b"1"),), finishes=(claimed,))) for n in range(2)),
        return_exceptions=True,
    )
    assert [isinstance(answer, LostLease) for answer in answers] == [False, False, True]


async def test_a_waiting_duplicate_is_folded(kv: Kv, pool: Pool) -> None:
    await asyncio.gather(*(kv.commit(Commit(messages=(message(dedup="d"),))) for _ in range(10)))
    assert await count(pool) == 1


async def test_a_commit_puts_and_folds_messages_as_a_transaction_does(kv: Kv, pool: Pool) -> None:
    waiting = NewMessage(queue="q", kind="k@1", payload=b"1", dedup="d", delay=5, max_attempts=3, trace="t")
    for later in (
        replace(waiting, payload=b"2", delay=1, priority=Priority.HIGH),
        replace(waiting, delay=9, max_attempts=5),
        replace(waiting, max_attempts=1, priority=Priority.LOW),
        replace(waiting, max_attempts=None, key=b"other"),
    ):
        rows = []
        for queue in ("by transaction", "by commit"):
            for one in (waiting, later):
                mine = replace(one, queue=queue, key=one.key or b"key")
                if queue == "by commit":
                    await kv.commit(Commit(messages=(mine,)))
                else:
                    async with transaction(pool) as conn:
                        await enqueue(conn, mine)
            async with connection(pool) as conn:
                row = await conn.fetchrow(
                    """
                    SELECT kind, priority, round(extract(epoch FROM run_at - created_at)) AS delay, key, payload, dedup,
                           max_attempts, trace, attempts FROM messages WHERE queue = $1
                    """,
                    queue,
                )
                rows.append(dict(row or {}))
                await conn.execute("DELETE FROM messages")
        assert rows[0] == rows[1]
        assert rows[0]["kind"] == "k@1"


async def test_an_expired_entry_is_absent_at_once_and_removed_later(kv: Kv, pool: Pool) -> None:
    await kv.set("a", b"1", expires_in=GONE, tag="t")
    await kv.set("b", b"1", expires_in=3600, tag="t")
    assert await kv.get("a") is None
    assert [one.key for one in await kv.list_range()] == ["b"]
    assert [one.key for one in await kv.list_tagged("t")] == ["b"]
    assert await kv.get_many(["a"]) == [None]
    assert await kv.commit(Commit(checks=(Check(key="a", version=None),))) is not None
    assert await count(pool, "kv") == 2
    assert (await sweep_expired_entries(pool), await sweep_expired_entries(pool)) == (1, 0)
    assert await kv.get("b") is not None


async def test_a_new_value_ends_the_expiry_of_the_old_one(kv: Kv) -> None:
    await kv.set("a", b"1", expires_in=GONE)
    await kv.set("a", b"2")
    entry = await kv.get("a")
    assert entry is not None
    assert entry.value == b"2"


async def test_a_range_is_listed_in_pages_either_way(kv: Kv) -> None:
    for key in ("a", "b/1", "b/2", "b/3", "c"):
        await kv.set(key, b"")

    async def keys(**wanted: object) -> list[str]:
        return [one.key for one in await kv.list_range(**wanted)]  # type: ignore[arg-type] # any mix of arguments

    assert await keys() == ["a", "b/1", "b/2", "b/3", "c"]
    assert await keys(prefix="b/") == ["b/1", "b/2", "b/3"]
    assert await keys(prefix="b/", limit=2) == ["b/1", "b/2"]
    assert await keys(prefix="b/", limit=2, after="b/2") == ["b/3"]
    assert await keys(prefix="b/", reverse=True, limit=2) == ["b/3", "b/2"]
    assert await keys(prefix="b/", reverse=True, after="b/2") == ["b/1"]
    assert await keys(start="b/2", end="c") == ["b/2", "b/3"]
    assert await keys(start="b/2", end="c\0".rstrip("\0") + "!") == ["b/2", "b/3", "c"]


@pytest.mark.parametrize("prefix", ["é", "\ud7ff", "\U0010ffff", "a\U0010ffff", "~"])
async def test_a_prefix_ends_where_no_key_can_have_it(kv: Kv, prefix: str) -> None:
    inside = [prefix, prefix + "\U0010ffff", prefix + "a"]
    for key in [*inside, "a", "z", "\ue000"]:
        await kv.set(key, b"")
    expected = sorted({key for key in [*inside, "a", "z", "\ue000"] if key.startswith(prefix)}, key=str.encode)
    assert [one.key for one in await kv.list_range(prefix=prefix)] == expected


async def test_entries_are_found_by_their_tag_and_only_by_the_last_one(kv: Kv) -> None:
    for number in range(4):
        await kv.set(f"k{number}", b"%d" % number, tag="created")
    await kv.set("k1", b"1", tag="done")
    await kv.set("k2", b"1")
    assert [one.key for one in await kv.list_tagged("created")] == ["k0", "k3"]
    assert [one.key for one in await kv.list_tagged("created", after="k0")] == ["k3"]
    assert [one.key for one in await kv.list_tagged("created", limit=1)] == ["k0"]
    assert [one.key for one in await kv.list_tagged("done")] == ["k1"]


async def test_keys_and_values_at_their_limits(kv: Kv) -> None:
    for key in ("", "a\0b", "\ud800", "k" * (LONGEST_KEY + 1), "é" * (LONGEST_KEY // 2 + 1)):
        with pytest.raises(BadInput, match="BAD_KEY"):
            await kv.set(key, b"")
        with pytest.raises(BadInput, match="BAD_KEY"):
            await kv.delete(key)
    await kv.set("k" * LONGEST_KEY, b"v" * LARGEST_VALUE)
    with pytest.raises(BadInput, match="VALUE_TOO_LARGE"):
        await kv.set("a", b"v" * (LARGEST_VALUE + 1))


async def test_a_commit_finishes_a_message_once(kv: Kv, pool: Pool) -> None:
    await kv.commit(Commit(messages=(message(),)))
    [claimed] = await claim(pool, ["q"], 1, 60)
    with pytest.raises(BadInput, match="BAD_COMMIT"):
        Commit(finishes=(claimed, replace(claimed, token=claimed.token + 1)))


def test_a_commit_that_contradicts_itself_is_refused() -> None:
    with pytest.raises(BadInput, match="BAD_COMMIT"):
        Commit(changes=(Set(key="a", value=b"1"), Delete(key="a")))
    with pytest.raises(BadInput, match="BAD_COMMIT"):
        Commit(messages=(message(dedup="d"), message(dedup="d")))
    Commit(messages=(message(), message()))


async def test_a_commit_wakes_whom_it_concerns(pool: Pool) -> None:
    wake = Wake()
    messages, changes = wake.subscribe(Topic.MESSAGES), wake.subscribe(Topic.CHANGES)
    async with open_kv(pool, wake) as kv:
        await kv.commit(Commit(messages=(message(),)))
        assert (messages.is_set(), changes.is_set()) == (True, False)
        messages.clear()
        wake.take_asked()
        await kv.set("a", b"1")
        assert (messages.is_set(), changes.is_set()) == (False, False)  # its own watchers were told by itself
        assert wake.take_asked() == {Topic.CHANGES}


async def test_a_lane_whose_connection_was_cut_takes_another(kv: Kv, pool: Pool) -> None:
    await kv.set("a", b"1")
    await kv.get("a")
    async with connection(pool) as conn:
        await conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    # The cut connection is found out by use; whether that change stands is unknown.
    await asyncio.gather(kv.set("a", b"2"), kv.get("a"), return_exceptions=True)
    await kv.set("a", b"3")
    entry = await kv.get("a")
    assert entry is not None
    assert entry.value == b"3"


async def test_a_migration_of_the_table_does_not_disturb_a_lane(kv: Kv, pool: Pool) -> None:
    await kv.set("a", b"1")
    await kv.get("a")
    async with connection(pool) as conn:
        await conn.execute('ALTER TABLE kv ALTER COLUMN tag TYPE varchar COLLATE "C", ADD COLUMN more text')
    await kv.set("a", b"2")
    entry = await kv.get("a")
    assert entry is not None
    assert entry.value == b"2"


async def test_a_caller_that_gives_up_takes_nobody_along(kv: Kv) -> None:
    calls = [asyncio.create_task(kv.set(f"k{number}", b"1")) for number in range(20)]
    await asyncio.sleep(0)
    calls[0].cancel()
    calls[11].cancel()
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert [isinstance(answer, int) for answer in answers].count(False) == 2
    assert await kv.get("k12") is not None
