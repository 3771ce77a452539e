"""What is final is not for one endpoint to say."""

from tests.support.lane_rig import CHAIN, DEPTH, open_rig, swap_named
from tests.support.scripted_node import open_scripted_node

from bmn.core.facts import IntentState
from bmn.core.swap import Action
from bmn.devnet.anvil import open_anvil
from bmn.evm.types import Endpoint

SWAP = swap_named("one")


async def test_is_not_done_before_a_quorum_of_endpoints_shows_the_receipt(lane_database: str) -> None:
    async with open_anvil(CHAIN) as anvil, open_scripted_node() as second:
        endpoints = [anvil.endpoint, Endpoint(name="second", url=second.url)]
        second.answers["eth_getTransactionReceipt"] = None
        async with open_rig(anvil, lane_database, endpoints=endpoints) as rig:
            await anvil.set_automine(on=False)
            lane = await rig.lane()
            await rig.want(SWAP)
            await lane.step()
            for _ in range(1 + DEPTH):
                await anvil.mine()
                await lane.step()
                assert await rig.state(SWAP) is IntentState.MINED
            second.answers["eth_getTransactionReceipt"] = lambda tx: anvil.rpc("eth_getTransactionReceipt", tx)
            await anvil.mine()
            await lane.step()
            assert await rig.state(SWAP) is IntentState.DONE


async def test_endpoints_that_disagree_on_a_lost_nonce_do_not_stop_other_claims(lane_database: str) -> None:
    other = swap_named("two")
    async with open_anvil(CHAIN) as anvil, open_scripted_node() as second:
        endpoints = [anvil.endpoint, Endpoint(name="second", url=second.url)]
        async with open_rig(anvil, lane_database, endpoints=endpoints) as rig:
            await anvil.set_automine(on=False)
            lane = await rig.lane()
            await rig.want(SWAP, Action.CLAIM)
            await lane.step()
            await rig.use_nonce_elsewhere()
            await anvil.mine(DEPTH)
            await rig.want(other, Action.CLAIM)
            await lane.step()
            assert (await rig.intent(SWAP)).nonce == 0
            assert await rig.state(other) is IntentState.PENDING


async def test_an_endpoint_that_refuses_does_not_stop_what_another_takes(lane_database: str) -> None:
    async with open_anvil(CHAIN) as anvil, open_scripted_node() as second:
        endpoints = [anvil.endpoint, Endpoint(name="second", url=second.url)]
        async with open_rig(anvil, lane_database, endpoints=endpoints) as rig:
            lane = await rig.lane()
            await rig.want(SWAP)
            await lane.step()
            assert await rig.state(SWAP) is IntentState.PENDING
            assert second.asked("eth_sendRawTransaction") == 1
