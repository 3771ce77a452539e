"""A lane, pass by pass, on a chain that mines on demand."""

from dataclasses import replace
from itertools import pairwise

import pytest
from tests.support.lane_rig import COUNTER, POLICY, REFUSER, LaneRig, swap_named

from bmn.core.facts import IntentState
from bmn.core.swap import Action
from bmn.core.units import Gas, Seconds, UnixTime
from bmn.evm.types import BlockTag
from bmn.pg.errors import LostLease

SWAP = swap_named("one")


async def test_an_intent_goes_from_waiting_to_done_and_takes_effect_once(rig: LaneRig) -> None:
    lane = await rig.lane()
    await rig.want(SWAP)
    assert await rig.state(SWAP) is IntentState.WAITING
    await lane.step()
    assert await rig.state(SWAP) is IntentState.PENDING
    await rig.anvil.mine()
    await lane.step()
    assert await rig.state(SWAP) is IntentState.MINED
    await rig.anvil.mine()
    await lane.step()
    assert await rig.state(SWAP) is IntentState.MINED  # one block on top, final is two
    await rig.anvil.mine()
    await lane.step()
    assert await rig.state(SWAP) is IntentState.DONE
    assert await rig.count() == 1
    done = await rig.intent(SWAP)
    assert (done.nonce, done.signer, done.block_number) == (0, rig.signer, 1)
    assert done.gas_used is not None
    assert done.gas_price is not None


async def test_each_change_of_state_wakes_the_swap(rig: LaneRig) -> None:
    lane = await rig.lane()
    await rig.want(SWAP, Action.PAY)
    for _ in range(2):
        await lane.step()
        assert await rig.rows("DELETE FROM messages RETURNING queue") == [("orders:critical",)]
        await rig.anvil.mine()


async def test_the_same_bytes_are_offered_again_after_the_node_dropped_them(rig: LaneRig) -> None:
    lane = await rig.lane()
    await rig.want(SWAP)
    await lane.step()
    before = await rig.intent(SWAP)
    await rig.anvil.rpc("anvil_dropTransaction", str(before.tx_hash))
    await rig.anvil.mine()
    assert await rig.count() == 0
    await lane.step()
    await rig.anvil.mine()
    assert await rig.count() == 1
    await rig.step_until(lane, SWAP, IntentState.DONE)
    assert (await rig.intent(SWAP)).tx_hash == before.tx_hash


async def test_a_reorganised_transaction_lands_again(rig: LaneRig) -> None:
    lane = await rig.lane()
    await rig.want(SWAP)
    await lane.step()
    await rig.anvil.mine()
    await lane.step()
    assert await rig.state(SWAP) is IntentState.MINED
    await rig.anvil.reorg(1)
    assert await rig.count() == 0
    await lane.step()
    assert await rig.state(SWAP) is IntentState.PENDING
    assert (await rig.intent(SWAP)).block_number is None
    await rig.step_until(lane, SWAP, IntentState.DONE)
    assert (await rig.count(), await rig.nonce()) == (1, 1)


async def test_an_outbid_transaction_is_replaced_at_its_nonce(rig: LaneRig) -> None:
    lane = await rig.lane()
    await rig.want(SWAP)
    await lane.step()
    first = (await rig.intent(SWAP)).tx_hash
    await rig.anvil.rpc("anvil_setNextBlockBaseFeePerGas", hex(10 * 10**9))
    await rig.anvil.mine()
    await lane.step()
    assert await rig.count() == 0
    await rig.step_until(lane, SWAP, IntentState.DONE)
    assert (await rig.intent(SWAP)).tx_hash != first
    assert (await rig.count(), await rig.nonce()) == (1, 1)
    fees = await rig.rows("SELECT max_fee, priority_fee FROM txs ORDER BY max_fee")
    for (low, low_tip), (high, high_tip) in pairwise(fees):
        assert high * 100 >= low * 115
        assert high_tip * 100 >= low_tip * 115


async def test_a_retired_intent_frees_its_nonce_by_a_self_transfer(rig: LaneRig) -> None:
    lane = await rig.lane()
    other = swap_named("two")
    await rig.want(SWAP)
    await lane.step()
    await rig.want(other, gas=Gas(100_000))
    await rig.retire(SWAP)
    await rig.step_until(lane, other, IntentState.DONE)
    assert await rig.state(SWAP) is IntentState.DEAD
    assert await rig.count() == 1
    assert await rig.rows("SELECT is_cancel, succeeded FROM txs WHERE nonce = 0 ORDER BY max_fee") == [
        (False, None),
        (True, True),
    ]


async def test_a_retired_intent_that_lands_first_is_done(rig: LaneRig) -> None:
    lane = await rig.lane()
    await rig.want(SWAP)
    await lane.step()
    await rig.anvil.mine()
    await rig.retire(SWAP)
    await rig.step_until(lane, SWAP, IntentState.DONE)
    assert await rig.count() == 1


async def test_an_intent_wanted_again_replaces_its_own_self_transfer(rig: LaneRig) -> None:
    lane = await rig.lane()
    await rig.want(SWAP)
    await lane.step()
    await rig.retire(SWAP)
    await lane.step()
    await rig.rows("UPDATE intents SET wanted = true")
    await rig.step_until(lane, SWAP, IntentState.DONE)
    assert (await rig.count(), await rig.nonce()) == (1, 1)


async def test_a_retired_intent_without_a_nonce_is_dead_at_once(rig: LaneRig) -> None:
    lane = await rig.lane()
    await rig.want(SWAP)
    await rig.retire(SWAP)
    await lane.step()
    assert await rig.state(SWAP) is IntentState.DEAD
    assert await rig.rows("SELECT 1 FROM txs") == []


@pytest.mark.parametrize(("late", "state"), [(0, IntentState.PENDING), (1, IntentState.DEAD)])
async def test_is_not_sent_after_its_last_second(rig: LaneRig, late: int, state: IntentState) -> None:
    lane = await rig.lane()
    head = await rig.chain.block(BlockTag.HEAD)
    assert head is not None
    await rig.want(SWAP, not_after=UnixTime(head.timestamp - late))
    await lane.step()
    assert await rig.state(SWAP) is state


async def test_is_taken_back_when_its_last_second_passes_unmined(rig: LaneRig) -> None:
    lane = await rig.lane()
    head = await rig.chain.block(BlockTag.HEAD)
    assert head is not None
    await rig.want(SWAP, not_after=head.timestamp)
    await lane.step()
    await rig.anvil.rpc("anvil_dropAllTransactions")
    await rig.anvil.increase_time(Seconds(10))
    await rig.anvil.mine()
    await rig.step_until(lane, SWAP, IntentState.DEAD)
    assert (await rig.count(), await rig.nonce()) == (0, 1)


@pytest.mark.parametrize("action", [Action.FILL, Action.LOCK])
async def test_a_fill_or_lock_that_would_revert_is_never_sent(rig: LaneRig, action: Action) -> None:
    lane = await rig.lane()
    await rig.want(SWAP, action, target=REFUSER)
    await lane.step()
    refused = await rig.intent(SWAP)
    assert (refused.state, refused.failure) == (IntentState.DEAD, "not sent: no reason given")
    assert await rig.rows("SELECT 1 FROM txs") == []


@pytest.mark.parametrize("action", [Action.PAY, Action.CLAIM, Action.CANCEL_DST, Action.CANCEL_SRC])
async def test_a_claim_payout_or_cancel_is_sent_whatever_a_simulation_says(rig: LaneRig, action: Action) -> None:
    lane = await rig.lane()
    await rig.want(SWAP, action, target=REFUSER)
    await lane.step()
    assert await rig.state(SWAP) is IntentState.PENDING
    await rig.anvil.mine()
    await lane.step()
    assert await rig.state(SWAP) is IntentState.REVERTED
    await rig.step_until(lane, SWAP, IntentState.DEAD)
    assert (await rig.intent(SWAP)).failure == "reverted: no reason given"


async def test_claims_and_payouts_get_their_nonces_first(rig: LaneRig) -> None:
    lane = await rig.lane()
    for action in (Action.LOCK, Action.CANCEL_DST, Action.CLAIM):
        await rig.want(swap_named(action.value), action)
    await lane.step()
    assert await rig.rows("SELECT action FROM intents ORDER BY nonce") == [("claim",), ("cancel_dst",), ("lock",)]


async def test_a_secret_is_nowhere_in_clear_before_it_is_mined(rig: LaneRig) -> None:
    lane = await rig.lane()
    secret = b"planted secret of thirty-two byt"
    await rig.want(SWAP, Action.CLAIM, data=b"\x01\x02\x03\x04" + secret)
    await lane.step()
    tables = [str(name) for (name,) in await rig.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    assert {"intents", "txs"} <= set(tables)
    for table in tables:
        for (row,) in await rig.rows(f"SELECT t::text FROM {table} t"):
            assert secret.hex() not in str(row)
            assert secret.decode() not in str(row)
    await rig.anvil.mine()
    await lane.step()
    mined = await rig.intent(SWAP)
    found = await rig.anvil.rpc("eth_getTransactionByHash", str(mined.tx_hash))
    assert found["input"] == "0x01020304" + secret.hex()


async def test_a_claim_whose_nonce_a_stranger_used_is_sent_at_another(rig: LaneRig) -> None:
    lane = await rig.lane()
    await rig.want(SWAP, Action.CLAIM)
    await lane.step()
    await rig.use_nonce_elsewhere()
    await rig.step_until(lane, SWAP, IntentState.DONE)
    assert (await rig.count(), (await rig.intent(SWAP)).nonce) == (1, 1)


async def test_a_lock_whose_nonce_a_stranger_used_is_dead_once_that_is_final(rig: LaneRig) -> None:
    lane = await rig.lane()
    await rig.want(SWAP)
    await lane.step()
    await rig.use_nonce_elsewhere()
    await lane.step()
    assert (await rig.state(SWAP)).can_land
    await rig.step_until(lane, SWAP, IntentState.DEAD)
    assert (await rig.intent(SWAP)).failure == "nonce 0 was used by another"
    assert await rig.count() == 0


async def test_a_hole_left_by_a_strangers_reorganised_transaction_is_filled(rig: LaneRig) -> None:
    lane = await rig.lane()
    await rig.use_nonce_elsewhere()
    await rig.want(SWAP)
    await lane.step()
    assert (await rig.intent(SWAP)).nonce == 1
    await rig.anvil.reorg(1)
    assert await rig.nonce() == 0
    await rig.anvil.rpc("anvil_dropAllTransactions")
    await rig.step_until(lane, SWAP, IntentState.DONE)
    assert (await rig.count(), await rig.nonce()) == (1, 2)


async def test_a_lane_that_lost_its_lease_writes_nothing(rig: LaneRig) -> None:
    old = await rig.lane(holder="old")
    await rig.want(SWAP)
    new = await rig.lane(holder="new")
    with pytest.raises(LostLease):
        await old.step()
    assert await rig.rows("SELECT 1 FROM txs") == []
    await rig.step_until(new, SWAP, IntentState.DONE)
    assert await rig.count() == 1


async def test_a_full_lane_lets_claims_through_and_locks_wait(rig: LaneRig) -> None:
    lane = await rig.lane(policy=replace(POLICY, max_in_flight=1))
    await rig.want(swap_named("lock 1"))
    await rig.want(swap_named("lock 2"))
    await lane.step()
    await rig.want(swap_named("claim"), Action.CLAIM)
    await lane.step()
    assert await rig.state(swap_named("lock 2")) is IntentState.WAITING
    assert await rig.state(swap_named("claim")) is IntentState.PENDING


async def test_an_idle_lane_asks_no_chain(rig: LaneRig) -> None:
    lane = await rig.lane()
    rig.chain.nodes = ()
    await lane.step()


async def test_recording_twice_changes_nothing(rig: LaneRig) -> None:
    await rig.want(SWAP, target=COUNTER)
    await rig.want(SWAP, target=REFUSER, gas=Gas(1))
    assert await rig.rows("SELECT target, gas FROM intents") == [(bytes(COUNTER), None)]
