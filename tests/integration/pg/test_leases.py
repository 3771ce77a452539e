"""Leases and fencing against a real server."""

import asyncio
import itertools
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.postgres import in_thread

from bmn.pg.errors import LostLease
from bmn.pg.leases import Lease, acquire, check_fence, hold_lease, release, renew, run_leased
from bmn.pg.pool import Pool, connection, open_pool, transaction
from bmn.seams import SystemClock

TTL = 60.0
EXPIRED = -1.0
HOLDER = Path(__file__).parents[2] / "support" / "lease_holder.py"


@pytest.fixture
async def pool(engine_database: str) -> AsyncIterator[Pool]:
    async with open_pool(engine_database, size=10) as opened:
        yield opened


async def taken(pool: Pool, ttl: float = TTL, holder: str = "me") -> Lease:
    lease = await tried(pool, ttl, holder)
    assert lease is not None
    return lease


async def tried(pool: Pool, ttl: float = TTL, holder: str = "me") -> Lease | None:
    async with connection(pool) as conn:
        return await acquire(conn, "name", holder, ttl)


async def fenced_write(pool: Pool, lease: Lease) -> None:
    async with transaction(pool) as conn:
        await check_fence(conn, lease)


async def expire(pool: Pool) -> None:
    async with connection(pool) as conn:
        await conn.execute("UPDATE leases SET expires_at = clock_timestamp() - interval '1 second'")


async def test_one_of_many_gets_the_lease(pool: Pool) -> None:
    leases = await asyncio.gather(*(tried(pool) for _ in range(8)))
    assert sum(lease is not None for lease in leases) == 1


async def test_nobody_gets_it_before_it_ends_not_even_its_holder(pool: Pool) -> None:
    await taken(pool)
    assert await tried(pool) is None
    assert await tried(pool, holder="other") is None


async def test_an_ended_lease_goes_to_the_next_with_a_greater_token(pool: Pool) -> None:
    first = await taken(pool, EXPIRED)
    second = await taken(pool)
    assert second.token > first.token
    await fenced_write(pool, second)
    with pytest.raises(LostLease):
        await fenced_write(pool, first)
    async with connection(pool) as conn:
        assert not await renew(conn, first, TTL)
        await release(conn, first)  # harmless
    assert await tried(pool) is None


async def test_an_ended_lease_that_nobody_took_still_fences_for_its_holder(pool: Pool) -> None:
    lease = await taken(pool, EXPIRED)
    await fenced_write(pool, lease)
    async with connection(pool) as conn:
        assert await renew(conn, lease, TTL)
    assert await tried(pool) is None


async def test_a_released_lease_is_free_at_once_and_refuses_its_late_writes(pool: Pool) -> None:
    first = await taken(pool)
    async with connection(pool) as conn:
        await release(conn, first)
    with pytest.raises(LostLease):
        await fenced_write(pool, first)
    assert (await taken(pool)).token > first.token


async def test_nobody_takes_over_while_a_fenced_write_is_open(pool: Pool) -> None:
    lease = await taken(pool, EXPIRED)
    async with transaction(pool) as conn:
        await check_fence(conn, lease)
        rival = asyncio.ensure_future(taken(pool, holder="rival"))
        async with asyncio.timeout(30), connection(pool) as watch:
            while not await watch.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            ):
                await asyncio.sleep(0)
        assert not rival.done()
    assert (await rival).token > lease.token


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.sampled_from(["acquire", "expire", "release", "concurrent"]), min_size=3, max_size=30))
def test_tokens_strictly_rise_in_any_history(engine_database: str, steps: list[str]) -> None:
    in_thread(play(engine_database, steps))


async def play(dsn: str, steps: list[str]) -> None:
    async with open_pool(dsn, size=4) as pool:
        granted: list[Lease] = []
        for step in steps:
            if step == "expire":
                await expire(pool)
            elif step == "release" and granted:
                async with connection(pool) as conn:
                    await release(conn, granted[-1])
            else:
                asked = 4 if step == "concurrent" else 1
                leases = await asyncio.gather(*(tried(pool) for _ in range(asked)))
                granted += [lease for lease in leases if lease is not None]
        tokens = [lease.token for lease in granted]
        assert all(earlier < later for earlier, later in itertools.pairwise(tokens))
        await expire(pool)
        async with connection(pool) as conn:
            if granted:
                await release(conn, granted[-1])


async def test_a_block_holds_renews_and_releases(pool: Pool) -> None:
    async with hold_lease(pool, "name", "me", ttl=1.5, clock=SystemClock()) as lease:
        async with asyncio.timeout(30), connection(pool) as conn:
            first = await conn.fetchval("SELECT expires_at FROM leases")
            while await conn.fetchval("SELECT expires_at FROM leases") < first + (first - first.replace(microsecond=0)):
                await asyncio.sleep(0)
            while not await conn.fetchval("SELECT clock_timestamp() > $1", first):
                await asyncio.sleep(0)
        assert await tried(pool) is None
        await fenced_write(pool, lease)
    assert await tried(pool) is not None


async def test_the_second_waits_for_the_first(pool: Pool) -> None:
    order: list[str] = []

    async def use(name: str, inside: asyncio.Event, go: asyncio.Event) -> None:
        async with hold_lease(pool, "name", name, ttl=1.5, clock=SystemClock()):
            order.append(f"{name} in")
            inside.set()
            await go.wait()
            order.append(f"{name} out")

    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        inside, go, free = asyncio.Event(), asyncio.Event(), asyncio.Event()
        free.set()
        group.create_task(use("a", inside, go))
        await inside.wait()
        group.create_task(use("b", asyncio.Event(), free))
        async with connection(pool) as conn:
            until = await conn.fetchval("SELECT expires_at FROM leases")
            while await conn.fetchval("SELECT expires_at FROM leases") <= until:
                await asyncio.sleep(0)
        go.set()
    assert order == ["a in", "a out", "b in", "b out"]


async def hold_until_lost(pool: Pool, ttl: float, meanwhile: Callable[[], Awaitable[object]]) -> float:
    """Return how long the block ran, in seconds, before it was cancelled for the loss."""
    started = ended = time.monotonic()
    try:
        async with asyncio.timeout(30), hold_lease(pool, "name", "me", ttl=ttl, clock=SystemClock()):
            await meanwhile()
            started = time.monotonic()
            try:
                await asyncio.Event().wait()
            finally:
                ended = time.monotonic()
    except LostLease:
        return ended - started
    raise AssertionError


async def test_a_stolen_lease_cancels_the_block(pool: Pool) -> None:
    async def steal() -> None:
        await expire(pool)
        await taken(pool, holder="thief")

    await hold_until_lost(pool, 0.6, steal)


async def test_a_silent_database_ends_the_belief_before_the_lease_ends(pool: Pool) -> None:
    async with transaction(pool) as conn:
        # The renewal waits for the row that we hold.
        ran = await hold_until_lost(pool, 1.2, lambda: conn.execute("SELECT * FROM leases FOR UPDATE"))
    assert 0.5 < ran < 1.2


async def test_an_error_of_the_block_passes_through_and_releases(pool: Pool) -> None:
    with pytest.raises(LookupError):
        async with hold_lease(pool, "name", "me", ttl=TTL, clock=SystemClock()):
            raise LookupError
    assert await tried(pool) is not None


async def test_leased_work_starts_again_after_a_loss_and_ends_when_it_returns(pool: Pool) -> None:
    tokens: list[int] = []

    async def work(lease: Lease) -> None:
        tokens.append(lease.token)
        if len(tokens) == 1:
            await expire(pool)
            await taken(pool, 0.1, "thief")
            await asyncio.Event().wait()

    async with asyncio.timeout(30):
        await run_leased(pool, "name", "me", ttl=1.5, clock=SystemClock(), work=work)
    first, second = tokens
    assert second > first + 1


async def said(output: asyncio.StreamReader, line: bytes) -> None:
    while (read := await output.readline()) != line:
        assert read


async def test_a_paused_holder_writes_nothing_after_its_successor(pool: Pool, engine_database: str) -> None:
    async with connection(pool) as conn:
        await conn.execute("CREATE TABLE writes (id bigint GENERATED ALWAYS AS IDENTITY, token bigint)")
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(HOLDER), engine_database, "name", "0.1", stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            async with connection(pool) as conn:
                while not await conn.fetchval("SELECT count(*) FROM writes"):
                    await asyncio.sleep(0)
                process.send_signal(signal.SIGSTOP)
                # Paused inside a fenced transaction it holds us up, until the server ends that transaction.
                while (lease := await acquire(conn, "name", "successor", TTL)) is None:
                    await asyncio.sleep(0)
            async with transaction(pool) as conn:
                await check_fence(conn, lease)
                await conn.execute("INSERT INTO writes (token) VALUES ($1)", lease.token)
            process.send_signal(signal.SIGCONT)
            await said(process.stdout, b"refused\n")
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    async with connection(pool) as conn:
        late = "SELECT count(*) FROM writes WHERE id > (SELECT id FROM writes WHERE token = $1)"
        assert await conn.fetchval(late, lease.token) == 0
