"""The worker loop against a real server."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
from prometheus_client import REGISTRY

from bmn.core.errors import BmnError, InvariantViolation, PermanentError, TransientError
from bmn.pg.beside import running
from bmn.pg.dead import DeadMessage, load_dead
from bmn.pg.errors import Undeliverable
from bmn.pg.policy import RetryPolicy
from bmn.pg.pool import Pool, connection, open_pool, transaction
from bmn.pg.queue import Claimed, NewMessage, Priority, claim, enqueue, finish
from bmn.pg.wake import Wake
from bmn.pg.worker import LONGEST_HANDLING_SECONDS, Handler, run_worker
from bmn.seams import SystemClock

LEASE = 2.0  # long enough for a busy machine not to lose it


class NoJitter:
    """The shortest retries."""

    def token_bytes(self, size: int) -> bytes:
        return bytes(size)

    def uniform(self, low: float, high: float) -> float:
        return low


AT_ONCE = RetryPolicy(first=0.0, longest=0.0)


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
    async def working(
        self, handle: Handler | None = None, *, concurrency: int = 4, grace: float = 0.0, **options: Any
    ) -> AsyncIterator[None]:
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
            grace=grace,
            **{"policy_of": lambda _: AT_ONCE, **options},
        )
        async with asyncio.timeout(60), running(worker):
            yield

    async def finish(self, claimed: Claimed) -> None:
        async with transaction(self.pool) as conn:
            await finish(conn, claimed)

    async def put(
        self,
        payload: str = "x",
        *,
        key: bytes | None = None,
        max_attempts: int | None = None,
        priority: Priority = Priority.NORMAL,
    ) -> None:
        message = NewMessage(
            queue="q", kind="k@1", payload=payload.encode(), key=key, max_attempts=max_attempts, priority=priority
        )
        async with transaction(self.pool) as conn:
            await enqueue(conn, message)
        self.wake.signal()

    async def dead(self) -> list[DeadMessage]:
        async with connection(self.pool) as conn:
            return await load_dead(conn)

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
    [dead] = await rig.dead()
    assert (dead.code, dead.error) == ("UNEXPECTED", "ValueError")


def told(code: str) -> float:
    labels = {"queue": "q", "kind": "k@1", "code": code}
    return REGISTRY.get_sample_value("bmn_messages_dead_total", labels) or 0.0


@pytest.mark.parametrize("error", [PermanentError("BAD", "no"), InvariantViolation("BROKEN", "no")])
async def test_a_permanent_error_goes_to_the_dead_and_to_a_person_at_once(rig: Rig, error: BmnError) -> None:
    before = told(error.code)

    async def handle(_: Claimed) -> None:
        raise error

    await rig.put(max_attempts=5)
    async with rig.working(handle):
        await rig.until_empty()
    assert len(rig.handled) == 1
    [dead] = await rig.dead()
    assert (dead.code, dead.error, dead.attempts) == (error.code, str(error), 1)
    assert dead.created_at <= dead.first_failed_at <= dead.died_at
    assert told(error.code) - before == 1
    assert rig.reported == []


async def test_a_message_with_value_behind_it_is_reported_and_tried_for_ever(rig: Rig) -> None:
    async def handle(claimed: Claimed) -> None:
        if claimed.attempts < 4:
            raise PermanentError("BAD", "no")
        await rig.finish(claimed)

    await rig.put()
    async with rig.working(handle):
        await rig.until_empty()
    assert len(rig.reported) == 3
    assert await rig.dead() == []


async def test_a_message_nobody_can_read_is_dead_even_if_it_is_never_given_up(rig: Rig) -> None:
    async def handle(claimed: Claimed) -> None:
        if claimed.payload == b"poison":
            raise Undeliverable("UNKNOWN_KIND", "no")
        await rig.finish(claimed)

    await rig.put("poison", priority=Priority.CRITICAL)
    await rig.put("good")
    async with rig.working(handle, concurrency=1):
        await rig.until_empty()
    assert [one.payload for one in rig.handled] == [b"poison", b"good"]
    assert [dead.code for dead in await rig.dead()] == ["UNKNOWN_KIND"]


async def test_the_policy_and_the_deadline_say_when_a_message_is_given_up(rig: Rig) -> None:
    left = iter([100.0, 100.0, 4.9])

    async def seconds_left(_: Claimed) -> float | None:
        return next(left)

    async def handle(_: Claimed) -> None:
        raise TransientError("BUSY", "later")

    policy = RetryPolicy(first=5.0, factor=1.0, longest=5.0, jitter=0.0, max_retries=9)
    await rig.put(max_attempts=10)
    async with rig.working(handle, policy_of=lambda _: policy, seconds_left=seconds_left):
        for attempt in (1, 2):
            await rig.until(f"SELECT attempts = {attempt} AND lease_token IS NULL FROM messages", True)
            async with connection(rig.pool) as conn:
                waits = await conn.fetchval(
                    "SELECT extract(epoch FROM run_at - clock_timestamp())::float8 FROM messages"
                )
                assert 4 < waits <= 5
                await conn.execute("UPDATE messages SET run_at = clock_timestamp()")
            rig.wake.signal()
        await rig.until_empty()
    assert [dead.attempts for dead in await rig.dead()] == [3]


async def test_a_policy_that_breaks_costs_a_lease_and_not_the_worker(rig: Rig) -> None:
    async def seconds_left(_: Claimed) -> float | None:
        raise ValueError("a mistake of ours")

    async def handle(claimed: Claimed) -> None:
        if claimed.attempts == 1:
            raise TransientError("BUSY", "later")
        async with transaction(rig.pool) as conn:
            await finish(conn, claimed)

    await rig.put("breaks", max_attempts=5)
    async with rig.working(handle, seconds_left=seconds_left):
        await rig.until_empty()
    assert [one.attempts for one in rig.handled] == [1, 2]


@pytest.mark.parametrize(("max_retries", "attempts"), [(0, 1), (3, 4)])
async def test_the_last_attempt_is_the_last(rig: Rig, max_retries: int, attempts: int) -> None:
    async def handle(_: Claimed) -> None:
        raise TransientError("BUSY", "later")

    policy = RetryPolicy(first=0.0, longest=0.0, max_retries=max_retries)
    await rig.put(max_attempts=policy.max_attempts)
    async with rig.working(handle, policy_of=lambda _: policy):
        await rig.until_empty()
    [dead] = await rig.dead()
    assert (dead.attempts, dead.code) == (attempts, "BUSY")
    assert len(rig.handled) == attempts


async def test_an_attempt_that_takes_too_long_has_failed(rig: Rig) -> None:
    async def handle(_: Claimed) -> None:
        await asyncio.Event().wait()

    await rig.put(max_attempts=1)
    async with rig.working(handle, longest=0.05):
        await rig.until_empty()
    [dead] = await rig.dead()
    assert dead.code == "HANDLING_TOO_LONG"


async def test_an_attempt_may_take_five_minutes() -> None:
    assert LONGEST_HANDLING_SECONDS == 300.0


async def test_any_text_of_an_error_can_be_kept(rig: Rig) -> None:
    async def handle(_: Claimed) -> None:
        raise PermanentError("BAD", "a\0b\ud800" + "c" * 3000)

    await rig.put(max_attempts=5)
    async with rig.working(handle):
        await rig.until_empty()
    [dead] = await rig.dead()
    assert dead.error.startswith("BAD: a?b?cc")
    assert len(dead.error) == 2000


async def test_a_critical_message_starts_while_every_slot_is_taken(rig: Rig) -> None:
    busy = asyncio.Event()

    async def handle(claimed: Claimed) -> None:
        if claimed.payload == b"slow":
            if len(rig.handled) == 2:
                busy.set()
            await asyncio.Event().wait()
        await rig.finish(claimed)

    for _ in range(4):
        await rig.put("slow", priority=Priority.HIGH)
    async with rig.working(handle, concurrency=2, reserved=1):
        await busy.wait()
        await rig.put("ordinary")
        await rig.put("urgent", priority=Priority.CRITICAL)
        await rig.until("SELECT count(*) FROM messages WHERE payload = 'urgent'", 0)
    assert [one.payload for one in rig.handled] == [b"slow", b"slow", b"urgent"]


WAITING = 100_000 if os.environ.get("BMN_DRILL") == "full" else 10_000


@pytest.mark.drill
async def test_a_critical_message_starts_within_a_second_behind_ten_thousand(rig: Rig) -> None:
    started = asyncio.Event()

    async def handle(claimed: Claimed) -> None:
        if claimed.payload == b"urgent":
            started.set()
        await rig.finish(claimed)

    async with connection(rig.pool) as conn:
        await conn.execute(
            """
            INSERT INTO messages (queue, kind, priority, run_at, payload)
            SELECT 'q', 'k@1', 0, clock_timestamp() - interval '1 hour', 'low' FROM generate_series(1, $1::int)
            """,
            WAITING,
        )
    async with rig.working(handle, reserved=1):
        while len(rig.handled) < 20:  # it is under way
            await asyncio.sleep(0)
        await rig.put("urgent", priority=Priority.CRITICAL)
        async with asyncio.timeout(1):
            await started.wait()


async def test_a_handler_that_forgets_to_finish_is_found_out(rig: Rig) -> None:
    async def handle(_: Claimed) -> None:
        return

    await rig.put(max_attempts=5)
    async with rig.working(handle):
        await rig.until_empty()
    assert [dead.code for dead in await rig.dead()] == ["NOT_FINISHED"]


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


async def test_a_message_that_comes_back_while_its_lost_attempt_goes_on_is_kept_and_ends_once(rig: Rig) -> None:
    """As after a pause of the process: another one took the message back, and this one claims it again."""
    stopped = asyncio.Event()

    async def handle(claimed: Claimed) -> None:
        if claimed.payload != b"x" or len(rig.handled) > 1:
            await stopped.wait()
            async with connection(rig.pool) as conn:
                first = await conn.fetchval("SELECT lease_until FROM messages WHERE id = $1", claimed.id)
            await rig.until(f"SELECT clock_timestamp() > '{first}'", True)  # only a renewed lease lives so long
            await rig.finish(claimed)
            return
        async with connection(rig.pool) as conn:
            await conn.execute("UPDATE messages SET lease_token = NULL, lease_until = NULL")
        rig.wake.signal()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    await rig.put()
    async with rig.working(handle):
        await rig.until_empty()
        await rig.put("next")
        await rig.until_empty()
    assert [(one.payload, one.attempts) for one in rig.handled] == [(b"x", 1), (b"x", 2), (b"next", 1)]


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


async def test_stopping_lets_what_is_in_hand_end_and_claims_nothing_more(rig: Rig) -> None:
    started, release = asyncio.Event(), asyncio.Event()

    async def handle(claimed: Claimed) -> None:
        started.set()
        await release.wait()
        await rig.finish(claimed)

    await rig.put("first")
    async with rig.working(handle, concurrency=1, grace=30.0):
        await started.wait()
        await rig.put("second")
        asyncio.get_running_loop().call_later(3 * LEASE / 2, release.set)  # longer than the lease: it is renewed
    async with connection(rig.pool) as conn:
        rows = await conn.fetch("SELECT payload, attempts, lease_token FROM messages")
    assert [tuple(row) for row in rows] == [(b"second", 0, None)]


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
