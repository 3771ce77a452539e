"""Every kind of message is a look at a swap: it may fail, come twice or come late, and the same is recorded once."""

from dataclasses import dataclass, replace

import pytest
from tests.support.hand_clock import HandClock
from tests.support.resolver_rig import MARGINS, ResolverRig
from tests.support.swap_on_chain import OPERATOR, must

from bmn.core.errors import ChainError
from bmn.core.swap import lock_deadline
from bmn.core.units import Address
from bmn.messages import (
    CRITICAL,
    DISCOVERY,
    EXECUTION,
    MONITORING,
    QUEUES,
    ROUTES,
    AdvanceSwap,
    DeployDstEscrow,
    Kind,
    MonitorSecret,
    NewOrder,
    WithdrawSrcEscrow,
    kind_of,
    policy_of,
    wake_swap,
)
from bmn.pg.beside import running
from bmn.pg.dead import load_dead
from bmn.pg.pool import connection, transaction
from bmn.pg.queue import Claimed, NewMessage, Priority, claim, enqueue
from bmn.pg.worker import run_worker
from bmn.resolver.advance import advance_swap
from bmn.resolver.intake import Accepted
from bmn.resolver.lock_time import seconds_to_lock
from bmn.seams import SystemClock, SystemRng

KINDS = [*ROUTES]
MOST_FAILURES = {kind: route.policy.max_retries or 6 for kind, route in ROUTES.items()}


async def only_wake(rig: ResolverRig, swap: Accepted, kind: Kind) -> None:
    async with transaction(rig.pool) as conn:
        await conn.execute("DELETE FROM messages")
        await wake_swap(conn, swap.hashlock, kind)


async def claimed_one(rig: ResolverRig) -> Claimed:
    (claimed,) = await claim(rig.pool, QUEUES, 10, 60.0)
    return claimed


async def waiting(rig: ResolverRig) -> set[tuple[str, str]]:
    """Return queue and kind of what waits, and clear it."""
    async with transaction(rig.pool) as conn:
        rows = await conn.fetch("DELETE FROM messages RETURNING queue, kind")
    return {(row["queue"], row["kind"]) for row in rows}


async def standing(rig: ResolverRig, swap: Accepted) -> tuple[object, ...]:
    """Return its state, its intents and how often evidence was kept."""
    query = """
    SELECT state, (SELECT array_agg(action ORDER BY id) FROM intents WHERE hashlock = $1),
           (SELECT count(*) FROM evidence WHERE hashlock = $1)
    FROM swaps WHERE hashlock = $1
    """
    async with connection(rig.pool) as conn:
        return tuple((await conn.fetch(query, swap.hashlock))[0])


@dataclass
class Failing:
    """Fails so many times before it does its work."""

    rig: ResolverRig
    times: int
    seen: int = 0

    async def handle(self, claimed: Claimed) -> None:
        self.seen += 1
        if self.seen <= self.times:
            raise (ChainError("RPC_SILENT", "later") if self.seen % 2 else ValueError("odd"))
        head = await self.rig.head(self.rig.dst_spec)
        # However long the failing took, the journal is as fresh as it was.
        await advance_swap(claimed, replace(self.rig.deps, clock=HandClock(head.seen_at)))

    async def work(self) -> None:
        """Run a worker until nothing is left; retries are due at once, their number is the kind's."""
        worker = run_worker(
            self.rig.pool,
            QUEUES,
            self.handle,
            concurrency=2,
            wake=self.rig.deps.wake,
            clock=SystemClock(),
            rng=SystemRng(),
            policy_of=lambda kind: replace(policy_of(kind), first=0.0),
        )
        async with running(worker), connection(self.rig.pool) as conn:
            while await conn.fetchval("SELECT count(*) FROM messages"):
                await SystemClock().sleep(0)


@pytest.mark.parametrize("kind", KINDS, ids=kind_of)
async def test_a_step_that_failed_many_times_is_done_once(rig: ResolverRig, kind: Kind) -> None:
    swap = await rig.fill(110 + KINDS.index(kind))  # one nonce of the maker's for each test of this file
    await only_wake(rig, swap, kind)
    failing = Failing(rig, MOST_FAILURES[kind])
    await failing.work()
    assert failing.seen == MOST_FAILURES[kind] + 1
    assert await standing(rig, swap) == ("LOCKING", ["lock"], 1)
    async with connection(rig.pool) as conn:
        assert await load_dead(conn) == []


async def test_deploying_is_given_up_after_its_last_retry_and_the_swap_is_not(rig: ResolverRig) -> None:
    swap = await rig.fill(102)
    await only_wake(rig, swap, DeployDstEscrow)
    await Failing(rig, 4).work()
    async with connection(rig.pool) as conn:
        [dead] = await load_dead(conn)
    assert (dead.kind, dead.attempts, dead.key) == ("deploy_dst_escrow@1", 4, bytes(swap.hashlock))
    async with transaction(rig.pool) as conn:
        await wake_swap(conn, swap.hashlock)
    await Failing(rig, 6).work()
    assert await standing(rig, swap) == ("LOCKING", ["lock"], 1)


POISON = {
    "UNKNOWN_KIND": b'{"kind":"advance_swap@9","hashlock":"0x%s"}' % (b"00" * 32),
    "BAD_MESSAGE": b'{"kind":"advance_swap@1","hashlock":"0x00"}',
    "MESSAGE_TOO_LARGE": b" " * 5_000_000,
}


async def test_poison_is_dead_at_once_and_holds_nobody_up(rig: ResolverRig) -> None:
    swap = await rig.accept(103)
    await rig.read()
    async with transaction(rig.pool) as conn:
        for payload in POISON.values():  # never given up, if it could be read
            poison = NewMessage(queue=CRITICAL, kind="advance_swap@1", payload=payload, priority=Priority.CRITICAL)
            await enqueue(conn, poison)
    working = Failing(rig, 0)
    await working.work()
    assert await standing(rig, swap) == ("FILLING", ["fill"], 0)
    assert working.seen == len(POISON) + 1
    async with connection(rig.pool) as conn:
        assert {dead.code for dead in await load_dead(conn)} == POISON.keys()


@pytest.mark.parametrize("kind", KINDS, ids=kind_of)
async def test_the_same_message_twice_changes_nothing_more(rig: ResolverRig, kind: Kind) -> None:
    swap = await rig.accept(120 + KINDS.index(kind))
    await rig.read()
    for expected in (("FILLING", ["fill"], 0), ("LOCKING", ["fill", "lock"], 1)):
        for _ in range(2):
            await only_wake(rig, swap, kind)
            await advance_swap(await claimed_one(rig), rig.deps)
            assert await standing(rig, swap) == expected
        if expected[0] == "FILLING":
            async with connection(rig.pool) as conn:
                sent = await conn.fetchrow("SELECT target, calldata FROM intents")
            assert sent is not None
            await must(rig.src.anvil, OPERATOR, Address(sent["target"]), sent["calldata"])
            await rig.read(blocks=3)


async def test_who_sends_which(rig: ResolverRig) -> None:
    swap = await rig.accept(104)
    assert await waiting(rig) == {(DISCOVERY, kind_of(NewOrder))}
    await rig.read()
    (fill,) = await rig.wanted(swap)
    await must(rig.src.anvil, OPERATOR, fill.target, fill.data)
    await waiting(rig)
    await rig.read()
    assert await waiting(rig) == {(EXECUTION, kind_of(DeployDstEscrow))}
    await rig.read(blocks=3)
    assert await waiting(rig) == {(EXECUTION, kind_of(DeployDstEscrow))}
    (lock,) = await rig.wanted(swap)
    await must(rig.dst.anvil, OPERATOR, lock.target, lock.data)
    await rig.read()
    assert await waiting(rig) == {(MONITORING, kind_of(MonitorSecret))}


async def test_a_swap_waits_once_on_each_queue_and_is_worked_on_by_one(rig: ResolverRig) -> None:
    swap = await rig.accept(105)
    await only_wake(rig, swap, NewOrder)
    async with transaction(rig.pool) as conn:
        for kind in (*KINDS, *KINDS):
            await wake_swap(conn, swap.hashlock, kind)
    one = await claimed_one(rig)
    assert (one.queue, one.kind) == (CRITICAL, kind_of(WithdrawSrcEscrow))
    assert {queue for queue, _ in await waiting(rig)} == set(QUEUES)


async def test_deploying_that_folds_with_another_look_is_not_given_up(rig: ResolverRig) -> None:
    swap = await rig.accept(106)
    await only_wake(rig, swap, DeployDstEscrow)
    async with transaction(rig.pool) as conn:
        await wake_swap(conn, swap.hashlock, AdvanceSwap)
    assert (await claimed_one(rig)).max_attempts is None


async def test_a_lock_is_worth_retrying_until_its_deadline_by_the_destinations_clock(rig: ResolverRig) -> None:
    swap = await rig.fill(107)
    src, head = (await rig.gather(swap)).facts.src, await rig.head(rig.dst_spec)
    assert src is not None
    clock = HandClock(head.seen_at)
    deps = replace(rig.deps, clock=clock)
    await only_wake(rig, swap, DeployDstEscrow)
    message = await claimed_one(rig)
    left = lock_deadline(src, MARGINS) - head.time
    assert left > 0
    assert await seconds_to_lock(message, deps) == pytest.approx(left, abs=0.001)
    await clock.advance(float(left) + 1)
    assert await seconds_to_lock(message, deps) == pytest.approx(-1, abs=0.001)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind is not DeployDstEscrow], ids=kind_of)
async def test_other_messages_have_no_deadline(rig: ResolverRig, kind: Kind) -> None:
    swap = await rig.accept(108)
    await only_wake(rig, swap, kind)
    assert await seconds_to_lock(await claimed_one(rig), rig.deps) is None


async def test_without_a_source_escrow_there_is_no_deadline(rig: ResolverRig) -> None:
    swap = await rig.accept(109)
    await only_wake(rig, swap, DeployDstEscrow)
    message = await claimed_one(rig)
    assert await seconds_to_lock(message, rig.deps) is None
    assert await seconds_to_lock(message, replace(rig.deps, pairs={})) is None
    assert await seconds_to_lock(replace(message, key=bytes(32)), rig.deps) is None


@pytest.mark.parametrize("key", [b"", b"orders:execution\0mine", bytes(33)])
async def test_a_message_with_the_key_of_something_else_has_no_deadline(rig: ResolverRig, key: bytes) -> None:
    swap = await rig.accept(110)
    await only_wake(rig, swap, DeployDstEscrow)
    assert await seconds_to_lock(replace(await claimed_one(rig), key=key), rig.deps) is None
