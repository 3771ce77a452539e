"""One look at one swap: state, intents and the end of the message stand together, once."""

from dataclasses import replace

import pytest
from tests.support.resolver_rig import ResolverRig

from bmn.messages import QUEUES, wake_swap
from bmn.pg.errors import LostLease
from bmn.pg.pool import connection, transaction
from bmn.pg.queue import Claimed, claim
from bmn.resolver.advance import advance_swap
from bmn.resolver.intake import Accepted


async def claimed_one(rig: ResolverRig) -> Claimed:
    (claimed,) = await claim(rig.pool, QUEUES, 10, 60.0)
    return claimed


async def standing(rig: ResolverRig, swap: Accepted) -> tuple[object, ...]:
    """Return state, version, number of intents and of messages."""
    query = """
    SELECT state, version, (SELECT count(*) FROM intents WHERE hashlock = $1), (SELECT count(*) FROM messages)
    FROM swaps WHERE hashlock = $1
    """
    async with connection(rig.pool) as conn:
        return tuple((await conn.fetch(query, swap.hashlock))[0])


async def test_a_decision_and_its_intent_and_the_end_of_the_message_stand_together(rig: ResolverRig) -> None:
    swap = await rig.accept(1)
    await rig.read()
    await advance_swap(await claimed_one(rig), rig.deps)
    assert await standing(rig, swap) == ("FILLING", 2, 1, 0)


async def test_a_message_that_is_somebody_elses_by_now_changes_nothing(rig: ResolverRig) -> None:
    swap = await rig.accept(2)
    await rig.read()
    mine = await claimed_one(rig)
    with pytest.raises(LostLease):
        await advance_swap(replace(mine, token=mine.token + 1), rig.deps)
    assert await standing(rig, swap) == ("ACCEPTED", 1, 0, 1)
    await advance_swap(mine, rig.deps)
    with pytest.raises(LostLease):
        await advance_swap(mine, rig.deps)
    assert await standing(rig, swap) == ("FILLING", 2, 1, 0)


async def test_looking_again_records_nothing_new(rig: ResolverRig) -> None:
    swap = await rig.accept(3)
    await rig.read()
    await advance_swap(await claimed_one(rig), rig.deps)
    once = await standing(rig, swap)
    for _ in range(3):
        async with transaction(rig.pool) as conn:
            await wake_swap(conn, swap.hashlock)
        await advance_swap(await claimed_one(rig), rig.deps)
    after = await standing(rig, swap)
    assert after[2:] == once[2:] == (1, 0)


async def test_while_paused_an_accepted_order_waits(rig: ResolverRig) -> None:
    swap = await rig.accept(4)
    await rig.read()
    await advance_swap(await claimed_one(rig), replace(rig.deps, accepting=False))
    assert (await standing(rig, swap))[0] == "ACCEPTED"
    assert (await standing(rig, swap))[2:] == (0, 0)


async def test_a_lock_is_recorded_with_what_was_checked(rig: ResolverRig) -> None:
    swap = await rig.fill(5)
    async with connection(rig.pool) as conn:
        await conn.execute("DELETE FROM messages")
        await wake_swap(conn, swap.hashlock)
    await advance_swap(await claimed_one(rig), rig.deps)
    assert (await standing(rig, swap))[0] == "LOCKING"
    async with connection(rig.pool) as conn:
        assert await conn.fetchval("SELECT count(*) FROM evidence WHERE hashlock = $1", swap.hashlock) == 1
        assert await conn.fetchval("SELECT array_agg(action) FROM intents") == ["lock"]
