"""Lanes that are killed, cancelled, doubled: each intent still takes effect once."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from tests.support.lane_rig import LaneRig, swap_named

from bmn.core.facts import IntentState
from bmn.core.swap import Action
from bmn.core.units import Gas
from bmn.txmgr.bell import Bell
from bmn.txmgr.lanes import LaneDeps, run_lanes

SWAPS = [swap_named(f"swap {number}") for number in range(4)]
GAS = Gas(100_000)


@asynccontextmanager
async def running(*all_deps: LaneDeps) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(run_lanes(deps)) for deps in all_deps]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await condition():
            await asyncio.sleep(0.05)


async def want_all(rig: LaneRig) -> None:
    for swap in SWAPS:
        await rig.want(swap, gas=GAS)


async def all_done(rig: LaneRig) -> bool:
    await rig.anvil.mine()
    return all([await rig.state(swap) is IntentState.DONE for swap in SWAPS])


async def assert_each_landed_once(rig: LaneRig) -> None:
    assert await rig.count() == len(SWAPS)
    assert await rig.nonce() == len(SWAPS)
    assert await rig.rows("SELECT count(*) FROM txs WHERE succeeded") == [(len(SWAPS),)]


@pytest.mark.parametrize("point", ["tx.signed", "tx.committed", "tx.sent", "tx.mined", "lane.reconciled"])
async def test_killed_at_any_point_each_intent_lands_once(rig: LaneRig, lane_database: str, point: str) -> None:
    await want_all(rig)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.lane_process", lane_database, str(rig.anvil.port), "first"),
        env=os.environ | {"BMN_CRASHPOINT": point},
    )
    ended = asyncio.create_task(process.wait())

    async def is_dead() -> bool:
        if await rig.rows("SELECT 1 FROM txs WHERE accepted"):
            await rig.anvil.mine()
        return ended.done()

    await until(is_dead)
    assert process.returncode == -signal.SIGKILL
    async with running(rig.deps("second")):
        await until(lambda: all_done(rig))
    await assert_each_landed_once(rig)


async def test_cancelled_anywhere_each_intent_lands_once(rig: LaneRig) -> None:
    await want_all(rig)
    for ticks in range(0, 120, 3):
        lane = await rig.lane()
        step = asyncio.create_task(lane.step())
        for _ in range(ticks):
            await asyncio.sleep(0)
        step.cancel()
        with suppress(asyncio.CancelledError):
            await step
        if ticks % 5 == 0:
            await rig.anvil.mine()
    await rig.end_leases()
    async with running(rig.deps("after")):
        await until(lambda: all_done(rig))
    await assert_each_landed_once(rig)


async def test_two_processes_never_sign_one_nonce_for_two_intents(rig: LaneRig) -> None:
    bells = Bell(), Bell()
    async with running(rig.deps("one", bell=bells[0]), rig.deps("two", bell=bells[1])):
        await want_all(rig)
        for bell in bells:
            bell.ring()
        await until(lambda: all_done(rig))
    await assert_each_landed_once(rig)
    assert await rig.rows("SELECT nonce FROM txs GROUP BY nonce HAVING count(DISTINCT intent_id) > 1") == []


async def test_two_signers_share_the_work_of_a_chain_without_doing_it_twice(rig: LaneRig) -> None:
    async with running(rig.deps("one", keys=(0, 1))):
        await want_all(rig)
        await until(lambda: all_done(rig))
    assert await rig.count() == len(SWAPS)


async def test_a_bell_starts_work_at_once(rig: LaneRig) -> None:
    bell = Bell()
    async with running(rig.deps("one", bell=bell)):
        await rig.want(SWAPS[0], Action.PAY)
        bell.ring()

        async def is_pending() -> bool:
            return await rig.state(SWAPS[0]) is IntentState.PENDING

        await until(is_pending)
