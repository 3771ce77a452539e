"""Leases and fencing on a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from bmn.pg.errors import LostLease
from bmn.pg.leases import Lease, acquire, check_fence, release, renew, run_leased
from bmn.pg.pool import Pool, connection, open_pool, transaction
from bmn.seams import SystemClock


@pytest.fixture
async def pool(engine_database: str) -> AsyncIterator[Pool]:
    async with open_pool(engine_database) as pool:
        yield pool


async def grab(pool: Pool, holder: str, ttl: float = 60.0) -> Lease | None:
    async with connection(pool) as conn:
        return await acquire(conn, "lane", holder, ttl)


async def expire(pool: Pool) -> None:
    async with connection(pool) as conn:
        await conn.execute("UPDATE leases SET expires_at = '-infinity'")


async def test_one_holder_at_a_time(pool: Pool) -> None:
    assert await grab(pool, "a") is not None
    assert await grab(pool, "b") is None
    assert await grab(pool, "a") is None


async def test_tokens_only_rise(pool: Pool) -> None:
    tokens = []
    for holder in ("a", "b", "a"):
        lease = await grab(pool, holder)
        assert lease is not None
        tokens.append(lease.token)
        async with connection(pool) as conn:
            await release(conn, lease)
    assert tokens == sorted(set(tokens))


async def test_a_holder_that_slept_too_long_cannot_write(pool: Pool) -> None:
    old = await grab(pool, "paused")
    assert old is not None
    await expire(pool)
    new = await grab(pool, "next")
    assert new is not None
    with pytest.raises(LostLease):
        async with transaction(pool) as conn:
            await check_fence(conn, old)
    async with transaction(pool) as conn:
        await check_fence(conn, new)
    async with connection(pool) as conn:
        assert not await renew(conn, old, 60.0)
        await release(conn, old)
    assert await grab(pool, "third") is None, "an old holder's release frees nothing"


async def test_a_renewed_lease_stays(pool: Pool) -> None:
    lease = await grab(pool, "a", 0.0)
    assert lease is not None
    async with connection(pool) as conn:
        assert await renew(conn, lease, 60.0)
    assert await grab(pool, "b") is None


async def test_work_is_cancelled_when_the_lease_is_lost_and_starts_again_when_it_is_back(pool: Pool) -> None:
    tokens: list[int] = []
    started, stopped = asyncio.Event(), asyncio.Event()

    async def work(lease: Lease) -> None:
        tokens.append(lease.token)
        if len(tokens) == 2:
            return
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    running = asyncio.create_task(run_leased(pool, "lane", "a", ttl=0.3, clock=SystemClock(), work=work))
    async with asyncio.timeout(20):
        await started.wait()
        async with connection(pool) as conn:
            await conn.execute("UPDATE leases SET token = nextval('fence'), holder = 'thief', expires_at = now()")
        await stopped.wait()
        await running
    assert tokens[0] < tokens[1]


async def test_work_that_notices_the_loss_itself_queues_up_again(pool: Pool) -> None:
    runs = 0

    async def work(_: Lease) -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise LostLease("lane")

    async with asyncio.timeout(20):
        await run_leased(pool, "lane", "a", ttl=0.3, clock=SystemClock(), work=work)
    assert runs == 2
