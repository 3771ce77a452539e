"""What people see of the queue and do to it."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import structlog
from prometheus_client import REGISTRY
from tests.support.hand_clock import HandClock

from bmn.core.errors import NotFound
from bmn.pg.beside import running
from bmn.pg.dead import DeadMessage, drop_all_dead, drop_dead, load_dead, retry_all_dead, retry_dead
from bmn.pg.depth import load_depth, run_depth
from bmn.pg.pool import Pool, connection, open_pool, transaction
from bmn.pg.queue import Claimed, NewMessage, bury, claim, enqueue, finish, retry_later, sweep_expired

LEASE = 60.0


@pytest.fixture
async def pool(engine_database: str) -> AsyncIterator[Pool]:
    async with open_pool(engine_database, size=10) as opened:
        yield opened


async def put(
    pool: Pool,
    payload: str = "x",
    *,
    queue: str = "q",
    kind: str = "k@1",
    dedup: str | None = None,
    delay: float = 0.0,
    max_attempts: int | None = None,
    trace: str | None = None,
) -> None:
    message = NewMessage(
        queue=queue,
        kind=kind,
        payload=payload.encode(),
        dedup=dedup,
        delay=delay,
        max_attempts=max_attempts,
        trace=trace,
    )
    async with transaction(pool) as conn:
        await enqueue(conn, message)


async def take(pool: Pool, *queues: str, lease: float = LEASE) -> list[Claimed]:
    return await claim(pool, queues or ("q",), 10, lease)


async def kill(
    pool: Pool, payload: str = "x", *, queue: str = "q", kind: str = "k@1", dedup: str | None = None
) -> None:
    await put(pool, payload, queue=queue, kind=kind, dedup=dedup, max_attempts=1)
    [one] = await take(pool, queue)
    await bury(pool, one, "broke", code="BROKE")


async def dead(pool: Pool) -> list[DeadMessage]:
    async with connection(pool) as conn:
        return await load_dead(conn)


def told(code: str) -> float:
    labels = {"queue": "q", "kind": "k@1", "code": code}
    return REGISTRY.get_sample_value("bmn_messages_dead_total", labels) or 0.0


async def test_a_dead_message_tells_what_broke_it_when_and_where_it_came_from(pool: Pool) -> None:
    await put(pool, max_attempts=3, trace="block 7")
    for attempt in range(3):
        [one] = await take(pool)
        await retry_later(pool, one, f"error {attempt}", 0, code=f"CODE_{attempt}")
    [found] = await dead(pool)
    assert (found.code, found.error, found.attempts, found.trace) == ("CODE_2", "error 2", 3, "block 7")
    assert found.created_at < found.first_failed_at < found.died_at
    assert found.payload == b"x"


async def test_a_message_that_dies_with_its_worker_is_told_once(pool: Pool) -> None:
    before = told("WORKER_DIED")
    await put(pool, max_attempts=1)
    await take(pool, lease=-1.0)
    for _ in range(3):
        await sweep_expired(pool)
    [found] = await dead(pool)
    assert found.code == "WORKER_DIED"
    assert told("WORKER_DIED") - before == 1


async def test_a_person_is_told_of_a_message_that_kills_its_workers_again_and_again(pool: Pool) -> None:
    await put(pool, max_attempts=None)
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            await take(pool, lease=-1.0)
            assert await sweep_expired(pool) == 1
    levels = [log["log_level"] for log in logs if log["event"] == "message_swept"]
    assert levels == ["warning", "warning", "critical"]


async def test_one_can_be_shown_retried_and_dropped(pool: Pool) -> None:
    for payload in ("first", "second"):
        await kill(pool, payload, dedup=payload)
    async with transaction(pool) as conn:
        second, first = await load_dead(conn)
        assert await load_dead(conn, limit=1) == [second]
        assert await load_dead(conn, first.id) == [first]
        await retry_dead(conn, first.id)
        await drop_dead(conn, second.id)
        assert await load_dead(conn, first.id) == []
        for refused in (retry_dead(conn, first.id), drop_dead(conn, second.id)):
            with pytest.raises(NotFound, match="NO_SUCH_MESSAGE"):
                await refused
    [one] = await take(pool)
    assert (one.payload, one.attempts, one.max_attempts, one.key) == (b"first", 1, 1, b"q\0first")


async def test_one_folds_into_a_waiting_duplicate(pool: Pool) -> None:
    await kill(pool, "old", dedup="d")
    await put(pool, "new", dedup="d", delay=3600)
    [found] = await dead(pool)
    async with transaction(pool) as conn:
        await retry_dead(conn, found.id)
    assert [one.payload for one in await take(pool)] == [b"new"]


@pytest.mark.parametrize(
    ("queue", "kind", "chosen"),
    [
        (None, None, {"qk", "ql", "pk", "pl"}),
        ("q", None, {"qk", "ql"}),
        (None, "k@1", {"qk", "pk"}),
        ("p", "l@1", {"pl"}),
        ("r", None, set()),
    ],
)
@pytest.mark.parametrize("how", ["retry", "drop", "list"])
async def test_all_of_a_queue_or_kind(
    pool: Pool, how: str, queue: str | None, kind: str | None, chosen: set[str]
) -> None:
    everything = {"qk", "ql", "pk", "pl"}
    for name in sorted(everything):
        await kill(pool, name, queue=name[0], kind=f"{name[1]}@1")
    async with transaction(pool) as conn:
        match how:
            case "list":
                found = await load_dead(conn, queue=queue, kind=kind)
                assert {one.payload.decode() for one in found} == chosen
                return
            case "retry":
                assert await retry_all_dead(conn, queue=queue, kind=kind) == len(chosen)
            case _:
                assert await drop_all_dead(conn, queue=queue, kind=kind) == len(chosen)
    assert {one.payload.decode() for one in await dead(pool)} == everything - chosen
    assert {one.payload.decode() for one in await take(pool, "q", "p")} == (chosen if how == "retry" else set())


async def test_retrying_all_makes_one_of_those_that_wake_the_same(pool: Pool) -> None:
    for payload in ("one", "two"):
        await kill(pool, payload, dedup="d")
    await kill(pool, "three")
    await kill(pool, "four")
    async with transaction(pool) as conn:
        assert await retry_all_dead(conn) == 4
    assert sorted(one.payload for one in await take(pool)) in (
        [b"four", b"one", b"three"],
        [b"four", b"three", b"two"],
    )


async def test_depth_counts_each_state_of_each_queue(pool: Pool) -> None:
    await put(pool, queue="a", delay=-5)
    await put(pool, queue="a", delay=3600)
    await put(pool, queue="q")
    await take(pool)
    await kill(pool)
    async with connection(pool) as conn:
        a, q = await load_depth(conn)
    assert (a.queue, a.ready, a.delayed, a.leased, a.dead) == ("a", 1, 1, 0, 0)
    assert 5 <= a.oldest_seconds < 60
    assert (q.queue, q.ready, q.delayed, q.leased, q.dead, q.oldest_seconds) == ("q", 0, 0, 1, 1, 0.0)


async def test_depth_names_queues_that_are_empty(pool: Pool) -> None:
    await put(pool, queue="other")
    async with connection(pool) as conn:
        found = await load_depth(conn, ["q"])
    assert [(one.queue, one.ready) for one in found] == [("other", 1), ("q", 0)]


async def test_depth_and_age_are_metrics_and_go_back_to_nothing(pool: Pool) -> None:
    def gauge(name: str, **labels: str) -> float | None:
        return REGISTRY.get_sample_value(name, {"queue": "gauged", **labels})

    async def until(ready: float) -> None:
        while gauge("bmn_queue_depth", state="ready") != ready:
            await clock.advance(5)

    clock = HandClock()
    await put(pool, queue="gauged", delay=-5)
    async with asyncio.timeout(30), running(run_depth(pool, ["another"], clock)):
        await until(1)
        assert 5 <= (gauge("bmn_queue_oldest_seconds") or 0) < 60
        assert [gauge("bmn_queue_depth", state=state) for state in ("delayed", "leased", "dead")] == [0, 0, 0]
        [one] = await take(pool, "gauged")
        async with transaction(pool) as conn:
            await finish(conn, one)
        await until(0)
        assert gauge("bmn_queue_oldest_seconds") == 0
