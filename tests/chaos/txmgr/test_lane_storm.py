"""Everything at once: kills, reorganisations, dropped transactions, fee jumps, retired intents."""

import asyncio
import random
from contextlib import suppress

import pytest
from tests.support.lane_rig import CHAIN, DEPTH, LaneRig, open_rig, swap_named

from bmn.core.facts import IntentState
from bmn.core.swap import Action
from bmn.core.units import Gas
from bmn.devnet.anvil import open_anvil
from bmn.txmgr.lanes import run_lanes

SWAPS = 40
ROUNDS = 60
ENDED = {IntentState.DONE, IntentState.DEAD}


async def wanted_in_a_storm(rig: LaneRig, rng: random.Random) -> None:
    """Play faults while lanes come and go."""
    recorded = 0
    lanes = asyncio.create_task(run_lanes(rig.deps("0")))
    for number in range(ROUNDS):
        if recorded < SWAPS:
            action = rng.choice([Action.LOCK, Action.CLAIM, Action.CANCEL_SRC])
            await rig.want(swap_named(str(recorded)), action, gas=Gas(100_000))
            recorded += 1
        match rng.randrange(8):
            case 0:
                lanes.cancel()
                with suppress(asyncio.CancelledError):
                    await lanes
                await rig.end_leases()
                lanes = asyncio.create_task(run_lanes(rig.deps(str(number))))
            case 1:
                head = int(await rig.anvil.rpc("eth_blockNumber"), 16)
                if head > DEPTH:
                    await rig.anvil.reorg(rng.randint(1, DEPTH))
            case 2:
                await rig.anvil.rpc("anvil_dropAllTransactions")
            case 3:
                await rig.anvil.rpc("anvil_setNextBlockBaseFeePerGas", hex(rng.randint(1, 20) * 10**9))
            case 4:
                await rig.retire(swap_named(str(rng.randrange(recorded))))
            case _:
                await rig.anvil.mine()
        await asyncio.sleep(rng.random() / 20)
    lanes.cancel()
    with suppress(asyncio.CancelledError):
        await lanes
    await rig.end_leases()


@pytest.mark.parametrize("seed", range(3))
async def test_every_intent_takes_effect_once_or_never(lane_database: str, seed: int) -> None:
    async with open_anvil(CHAIN) as anvil, open_rig(anvil, lane_database) as rig:
        await anvil.set_automine(on=False)
        await wanted_in_a_storm(rig, random.Random(seed))
        lane = await rig.lane()
        swaps = [swap_named(str(number)) for number in range(SWAPS)]
        for _ in range(60):
            await lane.step()
            await anvil.mine()
            states = [await rig.state(swap) for swap in swaps]
            if all(state in ENDED for state in states):
                break
        assert set(states) <= ENDED
        assert await rig.count() == states.count(IntentState.DONE)
        used = await rig.rows("SELECT nonce FROM txs WHERE block_number IS NOT NULL ORDER BY nonce")
        assert used == [(nonce,) for nonce in range(await rig.nonce())]
