"""Laws of the queue under concurrency, on a real server."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.postgres import in_thread

from bmn.core.errors import TransientError
from bmn.pg import queue as queue_module
from bmn.pg.errors import LostLease
from bmn.pg.pool import Pool, connection, open_pool, transaction
from bmn.pg.queue import Claimed, NewMessage, Priority, claim, enqueue, finish, put_back, retry_later, sweep_expired

KEYS = 5


@pytest.fixture
async def pool(engine_database: str) -> AsyncIterator[Pool]:
    async with open_pool(engine_database, size=12) as opened:
        yield opened


async def put(pool: Pool, number: int, *, key: bytes | None, dedup: str | None = None) -> None:
    async with transaction(pool) as conn:
        priority = Priority(number % 4)
        payload = str(number).encode()
        await enqueue(conn, NewMessage(queue="q", kind="k@1", payload=payload, key=key, dedup=dedup, priority=priority))


async def waiting(pool: Pool) -> int:
    async with connection(pool) as conn:
        return int(await conn.fetchval("SELECT count(*) FROM messages"))


async def test_each_message_goes_to_one_claimer_and_no_key_is_held_twice(pool: Pool) -> None:
    total = 400
    for number in range(total):
        await put(pool, number, key=b"%d" % (number % KEYS) if number % 2 else None)
    seen: Counter[bytes] = Counter()
    held: Counter[bytes] = Counter()

    async def claimer() -> None:
        while await waiting(pool):
            for one in await claim(pool, ["q"], 3, 60):
                seen[one.payload] += 1
                if one.key is not None:
                    held[one.key] += 1
                    assert held[one.key] == 1
                async with transaction(pool) as conn:
                    await finish(conn, one)
                    if one.key is not None:
                        held[one.key] -= 1

    async with asyncio.timeout(120), asyncio.TaskGroup() as group:
        for _ in range(10):
            group.create_task(claimer())
    assert set(seen.values()) == {1}
    assert len(seen) == total


async def test_no_wake_up_is_lost_whatever_the_interleaving(pool: Pool) -> None:
    """Writers count up and wake; workers copy the count. In the end the copy is the count, for every key."""
    async with connection(pool) as conn:
        await conn.execute("CREATE TABLE counts (key int PRIMARY KEY, facts int, copied int)")
        await conn.execute("INSERT INTO counts SELECT n, 0, 0 FROM generate_series(0, $1::int - 1) n", KEYS)
    rounds = 60
    writing = True

    async def writer(number: int) -> None:
        for turn in range(rounds):
            key = (number + turn) % KEYS
            async with transaction(pool) as conn:
                await conn.execute("UPDATE counts SET facts = facts + 1 WHERE key = $1", key)
                await enqueue(
                    conn, NewMessage(queue="q", kind="k@1", payload=b"%d" % key, key=b"%d" % key, dedup=f"{key}")
                )

    async def worker(number: int) -> None:
        turn = 0
        while writing or await waiting(pool):
            await sweep_expired(pool)
            for one in await claim(pool, ["q"], 2, 60 if number else 0):
                turn += 1
                try:
                    if turn % 5 == 0:
                        await retry_later(pool, one, "again", 0)
                    elif turn % 7 == 0:
                        await put_back(pool, one)
                    else:
                        async with connection(pool) as conn:
                            facts = await conn.fetchval("SELECT facts FROM counts WHERE key = $1", int(one.payload))
                        async with transaction(pool) as conn:
                            await conn.execute("UPDATE counts SET copied = $2 WHERE key = $1", int(one.payload), facts)
                            await finish(conn, one)
                except LostLease:
                    continue
                except TransientError:  # a deadlock is answered by doing it again
                    continue

    async with asyncio.timeout(120), asyncio.TaskGroup() as group:
        writers = [group.create_task(writer(number)) for number in range(4)]
        for number in range(5):
            group.create_task(worker(number))
        await asyncio.wait(writers)
        writing = False
    async with connection(pool) as conn:
        assert await conn.fetchval("SELECT count(*) FROM counts WHERE facts <> copied") == 0
        assert await conn.fetchval("SELECT sum(facts) FROM counts") == 4 * rounds


@pytest.mark.parametrize("plan", ["force_generic_plan", "force_custom_plan"])
async def test_a_backlog_of_delayed_and_foreign_messages_does_not_slow_a_claim(engine_database: str, plan: str) -> None:
    """The plan must walk the index: a claim of ten touches few pages, however many messages wait."""
    conn = await asyncpg.connect(engine_database)
    try:
        for queue, priority, delay in (("q", 3, "1 hour"), ("other", 3, "-1 hour"), ("q", 1, "-1 hour")):
            await conn.execute(
                """
                INSERT INTO messages (queue, kind, priority, run_at, payload, key)
                SELECT $1, 'k', $2, clock_timestamp() + $3::text::interval, '', decode(lpad(to_hex(n), 8, '0'), 'hex')
                FROM generate_series(1, 20000) n
                """,
                queue,
                priority,
                delay,
            )
        await conn.execute("ANALYZE messages")
        await conn.execute(f"SET plan_cache_mode = {plan}; PREPARE claim AS {queue_module._CLAIM}")
        lanes = "ARRAY['q','q','q','q'], ARRAY[3,2,1,0]::smallint[]"
        [(text,)] = await conn.fetch(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE claim({lanes}, 10, 60)")
    finally:
        await conn.close()
    [explained] = json.loads(text)
    root = explained["Plan"]
    assert root["Actual Rows"] == 10
    assert root["Shared Hit Blocks"] + root["Shared Read Blocks"] < 1000


STEPS = st.lists(
    st.tuples(st.sampled_from(["put", "claim", "finish", "retry", "back", "expire"]), st.integers(0, KEYS - 1)),
    min_size=5,
    max_size=60,
)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_any_history_keeps_one_owner_per_key_one_waiting_duplicate_and_every_wake_up(
    engine_database: str, steps: list[tuple[str, int]]
) -> None:
    in_thread(_play(engine_database, steps))


async def _play(dsn: str, steps: list[tuple[str, int]]) -> None:
    """Follow a small model: `pending` keys need another run since something was put after their last claim began."""
    async with open_pool(dsn, size=2) as pool:
        async with connection(pool) as conn:
            await conn.execute("TRUNCATE messages")
        owned: dict[int, Claimed] = {}
        pending: set[int] = set()
        for step, key in steps:
            if step == "put":
                await put(pool, key, key=b"%d" % key, dedup=f"{key}")
                pending.add(key)
            elif step in {"claim", "expire"}:
                due = pending - owned.keys()
                claims = await claim(pool, ["q"], 1 + key, -1 if step == "expire" else 60)
                assert len(claims) == min(1 + key, len(due))
                taken = {int(one.payload): one for one in claims}
                assert taken.keys() <= due
                if step == "expire":
                    assert await sweep_expired(pool) == len(claims)
                    async with connection(pool) as conn:  # it may wait a while after a few crashes
                        await conn.execute("UPDATE messages SET run_at = clock_timestamp()")
                else:
                    owned |= taken
                    pending -= taken.keys()
            elif key in owned:
                one = owned.pop(key)
                if step == "finish":
                    async with transaction(pool) as conn:
                        await finish(conn, one)
                else:
                    await (retry_later(pool, one, "again", 0) if step == "retry" else put_back(pool, one))
                    pending.add(key)
            async with connection(pool) as conn:
                assert await conn.fetchval("SELECT count(*) FROM messages WHERE lease_token IS NULL") == len(pending)
                assert await conn.fetchval("SELECT count(*) FROM messages WHERE lease_token > 0") == len(owned)
