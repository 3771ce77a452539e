"""The worker loop against a real server."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import pytest

from bmn.core.errors import BmnError, InvariantViolation, PermanentError, TransientError
from bmn.pg.beside import running
from bmn.pg.dead import load_dead
from bmn.pg.pool import Pool, connection, open_pool, transaction
from bmn.pg.queue import Claimed, NewMessage, claim, enqueue, finish
from bmn.pg.wake import Wake
from bmn.pg.worker import Handler, run_worker
from bmn.seams import SystemClock

LEASE = 2.0  # long enough for a busy machine not to lose it


class NoJitter:
    """The shortest retries."""

    def token_bytes(self, size: int) -> bytes:
        return bytes(size)

    def uniform(self, low: float, high: float) -> float:
        return 0.0


@pytest.fixture
async def pool(engine_database: str) -> AsyncIterator[Pool]:
    async with open_pool(engine_database, size=10) as opened:
        yield opened


class Rig:
    """A worker, what it handled and what it reported."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.wake = Wake()
        self.handled: list[Claimed] = []
        self.reported: list[tuple[Claimed, Exception]] = []

    @asynccontextmanager
    async def working(self, handle: Handler | None = None, *, concurrency: int = 4) -> AsyncIterator[None]:
        async def remember(claimed: Claimed) -> None:
            self.handled.append(claimed)
            await (handle or self.finish)(claimed)

        worker = run_worker(
            self.pool,
            ["q"],
            remember,
            concurrency=concurrency,
            wake=self.wake,
            clock=SystemClock(),
            rng=NoJitter(),
            report=lambda claimed, error: self.reported.append((claimed, error)),
            lease=LEASE,
        )
        async with asyncio.timeout(60), running(worker):
            yield

    async def finish(self, claimed: Claimed) -> None:
        async with transaction(self.pool) as conn:
            await finish(conn, claimed)

    async def put(self, payload: str = "x", *, key: bytes | None = None, max_attempts: int | None = None) -> None:
        async with transaction(self.pool) as conn:
            await enqueue(
                conn, NewMessage(queue="q", kind="k@1", payload=payload.encode(), key=key, max_attempts=max_attempts)
            )
        self.wake.signal()

    async def until(self, query: str, wanted: object) -> None:
        async with connection(self.pool) as conn:
            while await conn.fetchval(query) != wanted:
                await asyncio.sleep(0)

    async def until_empty(self) -> None:
        await self.until("SELECT count(*) FROM messages", 0)


@pytest.fixture
def rig(pool: Pool) -> Rig:
    return Rig(pool)


async def test_works_everything_off_once_and_reports_nothing(rig: Rig) -> None:
    for number in range(50):
        await rig.put(str(number), key=b"%d" % (number % 3))
    async with rig.working():
        await rig.until_empty()
    assert sorted(int(one.payload) for one in rig.handled) == list(range(50))
    assert rig.reported == []


async def test_picks_up_what_comes_while_it_idles(rig: Rig) -> None:
    async with rig.working():
        await rig.put()
        await rig.until_empty()


async def test_never_runs_more_than_its_share_nor_two_of_one_key(rig: Rig) -> None:
    inside: list[bytes | None] = []
    most = 0

    async def handle(claimed: Claimed) -> None:
        nonlocal most
        assert claimed.key not in inside
        inside.append(claimed.key)
        most = max(most, len(inside))
        await rig.finish(claimed)
        inside.remove(claimed.key)

    for number in range(40):
        await rig.put(str(number), key=b"%d" % (number % 8))
    async with rig.working(handle, concurrency=3):
        await rig.until_empty()
    assert most == 3
    assert rig.reported == []


async def test_a_transient_or_unknown_error_is_tried_again(rig: Rig) -> None:
    errors: list[Exception] = [TransientError("BUSY", "later"), ValueError("a secret"), TimeoutError()]

    async def handle(claimed: Claimed) -> None:
        if errors:
            raise errors.pop()
        await rig.finish(claimed)

    await rig.put(max_attempts=4)
    async with rig.working(handle):
        await rig.until_empty()
    assert [one.attempts for one in rig.handled] == [1, 2, 3, 4]
    assert rig.reported == []


async def test_the_text_of_an_unknown_error_is_not_kept(rig: Rig) -> None:
    async def handle(_: Claimed) -> None:
        raise ValueError("a secret")

    await rig.put(max_attempts=1)
    async with rig.working(handle):
        await rig.until_empty()
    async with connection(rig.pool) as conn:
        [dead] = await load_dead(conn)
    assert dead.error == "ValueError"
    assert len(rig.reported) == 1


@pytest.mark.parametrize("error", [PermanentError("BAD", "no"), InvariantViolation("BROKEN", "no")])
async def test_a_permanent_error_goes_to_the_dead_and_to_a_person_at_once(rig: Rig, error: BmnError) -> None:
    async def handle(_: Claimed) -> None:
        raise error

    await rig.put(max_attempts=5)
    async with rig.working(handle):
        await rig.until_empty()
    assert len(rig.handled) == 1
    assert [reported for _, reported in rig.reported] == [error]
    async with connection(rig.pool) as conn:
        [dead] = await load_dead(conn)
    assert error.code in dead.error


async def test_a_message_with_value_behind_it_is_reported_and_tried_for_ever(rig: Rig) -> None:
    async def handle(claimed: Claimed) -> None:
        if claimed.attempts < 4:
            raise PermanentError("BAD", "no")
        await rig.finish(claimed)

    await rig.put()
    async with rig.working(handle):
        await rig.until_empty()
    assert len(rig.reported) == 3
    async with connection(rig.pool) as conn:
        assert await load_dead(conn) == []


async def test_a_handler_that_forgets_to_finish_is_found_out(rig: Rig) -> None:
    async def handle(_: Claimed) -> None:
        return

    await rig.put(max_attempts=5)
    async with rig.working(handle):
        await rig.until_empty()
    [(_, error)] = rig.reported
    assert isinstance(error, InvariantViolation)
    assert error.code == "NOT_FINISHED"


async def test_a_long_handler_keeps_its_message(rig: Rig) -> None:
    async def handle(claimed: Claimed) -> None:
        async with connection(rig.pool) as conn:
            first = await conn.fetchval("SELECT lease_until FROM messages")
        await rig.until(f"SELECT clock_timestamp() > '{first}'", True)
        await rig.finish(claimed)

    await rig.put()
    async with rig.working(handle):
        await rig.until_empty()
    assert len(rig.handled) == 1


async def test_a_handler_whose_message_went_to_another_is_stopped(rig: Rig) -> None:
    stopped = asyncio.Event()

    async def handle(_: Claimed) -> None:
        async with connection(rig.pool) as conn:
            await conn.execute("UPDATE messages SET lease_token = 0, lease_until = 'infinity'")
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    await rig.put()
    async with rig.working(handle):
        await stopped.wait()
        await rig.until("SELECT lease_token FROM messages", 0)
    assert len(rig.handled) == 1


async def test_stopping_gives_back_what_is_in_hand_as_if_it_had_not_been_claimed(rig: Rig) -> None:
    started = asyncio.Event()

    async def handle(_: Claimed) -> None:
        started.set()
        await asyncio.Event().wait()

    await rig.put(max_attempts=1)
    async with rig.working(handle):
        await started.wait()
    async with connection(rig.pool) as conn:
        row = await conn.fetchrow("SELECT attempts, lease_token FROM messages")
    assert row is not None
    assert tuple(row) == (0, None)


async def test_takes_over_what_a_dead_worker_held(rig: Rig) -> None:
    await rig.put()
    await claim(rig.pool, ["q"], 1, -1)
    async with rig.working():
        await rig.until_empty()
    assert [one.attempts for one in rig.handled] == [2]


async def stubbornly(work: Callable[[], Awaitable[None]]) -> None:
    """Repeat what fails because a connection was cut."""
    while True:
        try:
            return await work()
        except TransientError:
            await asyncio.sleep(0)


async def test_goes_on_after_its_connections_were_cut(rig: Rig) -> None:
    async def cut() -> None:
        async with connection(rig.pool) as conn:
            await conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    async with rig.working():
        for number in range(20):
            await stubbornly(partial(rig.put, str(number)))
            if number % 5 == 0:
                await stubbornly(cut)
        await stubbornly(rig.until_empty)
    assert {int(one.payload) for one in rig.handled} == set(range(20))
