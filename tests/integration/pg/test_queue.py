"""The queue's promises on a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from bmn.core.errors import NotFound, PermanentError, TransientError
from bmn.pg.errors import LostLease
from bmn.pg.pool import Pool, connection, open_pool, transaction
from bmn.pg.queue import (
    Claimed,
    Priority,
    bury,
    claim,
    drop_dead,
    enqueue,
    finish,
    load_dead,
    load_depth,
    renew,
    retry_dead,
    retry_later,
    sweep_expired,
)
from bmn.pg.wake import Wake
from bmn.pg.worker import run_worker
from bmn.seams import SystemClock, SystemRng

QUEUE = "orders:execution"


@pytest.fixture
async def pool(engine_database: str) -> AsyncIterator[Pool]:
    async with open_pool(engine_database) as pool:
        yield pool


async def put(pool: Pool, **options: object) -> None:
    async with connection(pool) as conn:
        await enqueue(conn, **({"queue": QUEUE, "kind": "test", "payload": b"x"} | options))  # type: ignore[arg-type]


async def take(pool: Pool) -> Claimed | None:
    return await claim(pool, [QUEUE], 2.0)


async def taken(pool: Pool) -> Claimed:
    claimed = await take(pool)
    assert claimed is not None
    return claimed


async def end(pool: Pool, claimed: Claimed) -> None:
    async with transaction(pool) as conn:
        await finish(conn, claimed)


async def expire_leases(pool: Pool) -> None:
    async with connection(pool) as conn:
        await conn.execute("UPDATE messages SET lease_until = '-infinity' WHERE lease_token IS NOT NULL")
    await sweep_expired(pool)


async def test_a_message_of_a_transaction_that_failed_was_never_there(pool: Pool) -> None:
    with pytest.raises(RuntimeError):
        async with transaction(pool) as conn:
            await enqueue(conn, queue=QUEUE, kind="test", payload=b"x")
            raise RuntimeError
    assert await take(pool) is None


async def test_the_more_urgent_message_comes_first(pool: Pool) -> None:
    await put(pool, payload=b"low", priority=Priority.LOW)
    await put(pool, payload=b"critical", priority=Priority.CRITICAL)
    assert (await taken(pool)).payload == b"critical"


async def test_a_message_with_a_delay_is_not_due_before(pool: Pool) -> None:
    await put(pool, delay=60.0)
    assert await take(pool) is None
    async with connection(pool) as conn:
        await conn.execute("UPDATE messages SET run_at = clock_timestamp()")
    assert await take(pool) is not None


async def test_messages_of_one_key_never_run_at_the_same_time(pool: Pool) -> None:
    await put(pool, key=b"swap", payload=b"1")
    await put(pool, key=b"swap", payload=b"2")
    first = await taken(pool)
    assert await take(pool) is None
    await end(pool, first)
    assert (await taken(pool)).payload == b"2"


async def test_many_claimers_never_get_one_message_twice(pool: Pool) -> None:
    for number in range(40):
        await put(pool, payload=b"%d" % number, key=b"%d" % (number % 7))
    done: list[bytes] = []

    async def work() -> None:
        while len(done) < 40:
            claimed = await take(pool)
            if claimed is not None:
                await end(pool, claimed)
                done.append(claimed.payload)
            await asyncio.sleep(0)

    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(work())
    assert sorted(done) == sorted(b"%d" % number for number in range(40))


async def test_a_waiting_duplicate_is_folded_and_keeps_the_sooner_and_more_urgent(pool: Pool) -> None:
    await put(pool, key=b"swap", dedup="swap", delay=60.0, priority=Priority.LOW)
    await put(pool, key=b"swap", dedup="swap", priority=Priority.HIGH)
    await end(pool, await taken(pool))
    assert await take(pool) is None


async def test_a_wake_up_during_the_work_runs_again_after_it(pool: Pool) -> None:
    await put(pool, key=b"swap", dedup="swap")
    first = await taken(pool)
    await put(pool, key=b"swap", dedup="swap")
    assert await take(pool) is None
    await end(pool, first)
    assert await take(pool) is not None


async def test_a_message_of_a_dead_worker_comes_back(pool: Pool) -> None:
    await put(pool)
    lost = await taken(pool)
    await expire_leases(pool)
    again = await taken(pool)
    assert (again.id, again.attempts) == (lost.id, 2)
    with pytest.raises(LostLease):
        await end(pool, lost)
    await end(pool, again)


async def test_a_message_of_a_dead_worker_is_folded_into_its_waiting_twin(pool: Pool) -> None:
    await put(pool, key=b"swap", dedup="swap")
    await taken(pool)
    await put(pool, key=b"swap", dedup="swap")
    await expire_leases(pool)
    await end(pool, await taken(pool))
    assert await take(pool) is None


async def test_a_message_given_back_is_folded_into_its_waiting_twin(pool: Pool) -> None:
    await put(pool, key=b"swap", dedup="swap")
    first = await taken(pool)
    await put(pool, key=b"swap", dedup="swap")
    await retry_later(pool, first, "busy", 0)
    await end(pool, await taken(pool))
    assert await take(pool) is None


async def test_a_renewed_lease_is_not_swept(pool: Pool) -> None:
    await put(pool)
    claimed = await taken(pool)
    assert await renew(pool, claimed, 60.0)
    await sweep_expired(pool)
    assert await take(pool) is None
    await end(pool, claimed)
    assert not await renew(pool, claimed, 60.0)


async def test_a_dead_letter_keeps_its_error_and_can_be_retried_or_dropped(pool: Pool) -> None:
    await put(pool, payload=b"poison", max_attempts=3)
    await bury(pool, await taken(pool), "BAD: poison")
    async with connection(pool) as conn:
        (dead,) = await load_dead(conn)
        assert (dead.payload, dead.error, dead.attempts) == (b"poison", "BAD: poison", 1)
        await retry_dead(conn, dead.id)
        assert await load_dead(conn) == []
    await bury(pool, await taken(pool), "BAD: again")
    async with connection(pool) as conn:
        (dead,) = await load_dead(conn)
        await drop_dead(conn, dead.id)
        with pytest.raises(NotFound):
            await drop_dead(conn, dead.id)
        with pytest.raises(NotFound):
            await retry_dead(conn, dead.id)


async def test_depth_counts_ready_delayed_and_leased(pool: Pool) -> None:
    await put(pool)
    await put(pool)
    await put(pool, delay=60.0)
    await taken(pool)
    async with connection(pool) as conn:
        (depth,) = await load_depth(conn)
    assert (depth.ready, depth.delayed, depth.leased) == (1, 1, 1)


class Bench:
    """A worker with a handler that fails as told."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.failures: dict[bytes, list[Exception]] = {}
        self.done: list[bytes] = []
        self.settled = asyncio.Event()

    async def handle(self, claimed: Claimed) -> None:
        failures = self.failures.get(claimed.payload, [])
        if failures:
            raise failures.pop(0)
        await end(self.pool, claimed)
        self.done.append(claimed.payload)
        self.settled.set()

    async def run_until_settled(self) -> None:
        clock, wake = SystemClock(), Wake()
        worker = asyncio.create_task(
            run_worker(self.pool, [QUEUE], self.handle, concurrency=2, wake=wake, clock=clock, rng=SystemRng())
        )
        async with asyncio.timeout(20):
            await self.settled.wait()
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)


async def test_a_passing_failure_is_tried_again(pool: Pool) -> None:
    bench = Bench(pool)
    bench.failures[b"x"] = [TransientError("BUSY", "busy"), RuntimeError("a bug")]
    await put(pool)
    await bench.run_until_settled()
    assert bench.done == [b"x"]


async def test_poison_is_parked_and_others_go_on(pool: Pool) -> None:
    bench = Bench(pool)
    bench.failures[b"poison"] = [PermanentError("BAD", "poison")]
    await put(pool, payload=b"poison", priority=Priority.HIGH, max_attempts=3)
    await put(pool, payload=b"good")
    await bench.run_until_settled()
    async with asyncio.timeout(20):
        while True:
            async with connection(pool) as conn:
                dead = await load_dead(conn)
            if dead:
                break
    assert (bench.done, dead[0].error) == ([b"good"], "BAD: poison")


async def test_what_must_not_be_given_up_is_kept_whatever_the_error(pool: Pool) -> None:
    bench = Bench(pool)
    bench.failures[b"x"] = [PermanentError("BAD", "bad")]
    await put(pool, max_attempts=None)
    await bench.run_until_settled()
    assert bench.done == [b"x"]


async def test_a_stopped_worker_gives_back_what_it_holds(pool: Pool) -> None:
    started = asyncio.Event()

    async def hang(_: Claimed) -> None:
        started.set()
        await asyncio.Event().wait()

    await put(pool)
    worker = asyncio.create_task(
        run_worker(pool, [QUEUE], hang, concurrency=1, wake=Wake(), clock=SystemClock(), rng=SystemRng())
    )
    async with asyncio.timeout(20):
        await started.wait()
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)
    assert await take(pool) is not None
