"""Money rule 2 against real chains: what the source escrow must be, or nothing is locked."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.support.api_values import DST
from tests.support.resolver_rig import MARGINS, MAX_AMOUNT, ResolverRig
from tests.support.swap_on_chain import OPERATOR, must
from tests.support.swap_values import an_address

from bmn.bindings import resolver_calls
from bmn.bindings.resolver_calls import build_sweep
from bmn.bindings.token_calls import build_transfer
from bmn.core.facts import IntentState, LockRecord, Refusal
from bmn.core.immutables import Immutables
from bmn.core.swap import Action, Policy, decide, lock_deadline
from bmn.core.timelocks import Stage
from bmn.core.units import Hashlock, OrderHash, Seconds, TokenAmount, UnixTime, Wei
from bmn.devnet.world import OWNER_KEY
from bmn.evm.devkeys import DEV_ADDRESSES
from bmn.resolver.gather import Gathered
from bmn.resolver.intake import Accepted
from bmn.resolver.verify import check_source, load_lock_record
from bmn.resolver.wanted import new_intents
from bmn.store.intents import StoredIntent


async def refusal_of(rig: ResolverRig, swap: Accepted) -> Refusal | None:
    return (await rig.gather(swap)).facts.refusal


async def test_what_is_as_it_should_be_is_locked_against(rig: ResolverRig) -> None:
    swap = await rig.fill(1)
    gathered = await rig.gather(swap)
    assert gathered.facts.refusal is None
    assert gathered.facts.lock_record is LockRecord.EMPTY_FINAL
    assert gathered.evidence is not None
    assert gathered.evidence["token_balance"] == "1001"
    (lock,) = await rig.wanted(swap)
    assert lock.action is Action.LOCK
    await must(rig.dst.anvil, OPERATOR, lock.target, lock.data)
    assert (await rig.gather(swap)).facts.lock_record is LockRecord.SET
    await rig.read(blocks=3)
    assert (await rig.gather(swap)).facts.dst is not None
    assert await rig.wanted(swap) == []


async def test_other_code_at_the_escrow_is_refused(rig: ResolverRig) -> None:
    swap = await rig.fill(2)
    src = (await rig.gather(swap)).facts.src
    assert src is not None
    await rig.src.anvil.rpc("anvil_setCode", str(src.address), "0x60006000fd")
    await rig.read()
    assert await refusal_of(rig, swap) is Refusal.ESCROW_CODE_MISMATCH
    assert await rig.wanted(swap) == []


async def test_tokens_that_are_not_there_are_refused(rig: ResolverRig) -> None:
    swap = await rig.fill(3)
    src = (await rig.gather(swap)).facts.src
    assert src is not None
    token, escrow = src.immutables.token, src.address
    await rig.src.anvil.set_balance(escrow, Wei(10**18))
    await rig.src.anvil.impersonate(escrow)
    await must(rig.src.anvil, escrow, token, build_transfer(rig.src.contracts.resolver, TokenAmount(1)))
    await rig.read()
    assert await refusal_of(rig, swap) is Refusal.TOKEN_BALANCE_MISSING
    assert await rig.wanted(swap) == []
    await must(rig.src.anvil, OPERATOR, rig.src.contracts.resolver, build_sweep(token, TokenAmount(1)))
    await must(rig.src.anvil, DEV_ADDRESSES[OWNER_KEY], token, build_transfer(escrow, TokenAmount(1)))
    await rig.read()
    assert await refusal_of(rig, swap) is None


@pytest.mark.parametrize(("missing", "refusal"), [(0, None), (1, Refusal.DEPOSIT_MISSING)])
async def test_the_deposit_must_be_there(rig: ResolverRig, missing: int, refusal: Refusal | None) -> None:
    swap = await rig.fill(4 + missing)
    src = (await rig.gather(swap)).facts.src
    assert src is not None
    await rig.src.anvil.set_balance(src.address, Wei(src.immutables.safety_deposit - missing))
    await rig.read()
    assert await refusal_of(rig, swap) is refusal


async def checked(rig: ResolverRig, gathered: Gathered, **changes: Any) -> Refusal | None:
    """Check the source as if its event had said something else."""
    src = gathered.facts.src
    assert src is not None
    said = replace(src, immutables=replace(src.immutables, **changes))
    head = await rig.head(rig.src_spec)
    return (await check_source(said, gathered.terms, head, LockRecord.EMPTY, rig.deps)).refusal


async def test_an_event_that_says_other_than_was_signed_is_refused(rig: ResolverRig) -> None:
    gathered = await rig.gather(await rig.fill(6))
    src = gathered.facts.src
    assert src is not None
    found = src.immutables
    assert await checked(rig, gathered) is None
    assert await checked(rig, gathered, taker=an_address(1)) is Refusal.WRONG_TAKER
    others: list[dict[str, Any]] = [
        {"order_hash": OrderHash(bytes(32))},
        {"hashlock": Hashlock(bytes(32))},
        {"maker": an_address(1)},
        {"token": an_address(1)},
        {"amount": TokenAmount(found.amount - 1)},
        {"amount": TokenAmount(found.amount + 1)},
        {"safety_deposit": Wei(found.safety_deposit + 1)},
        {"timelocks": replace(found.timelocks, src_cancellation=Seconds(found.timelocks.src_cancellation + 1))},
        {"timelocks": found.timelocks.deployed(UnixTime(src.created.at + 1))},
    ]
    for other in others:
        assert await checked(rig, gathered, **other) is Refusal.ORDER_MISMATCH, other


async def test_an_escrow_at_an_address_that_does_not_follow_from_its_terms_is_refused(rig: ResolverRig) -> None:
    gathered = await rig.gather(await rig.fill(7))
    assert gathered.facts.src is not None
    elsewhere = replace(gathered.facts.src, address=an_address(1))
    head = await rig.head(rig.src_spec)
    outcome = await check_source(elsewhere, gathered.terms, head, LockRecord.EMPTY, rig.deps)
    assert outcome.refusal is Refusal.ESCROW_ADDRESS_MISMATCH


async def test_limits_and_lists_hold_at_the_lock_too(rig: ResolverRig) -> None:
    gathered = await rig.gather(await rig.fill(8))
    src = gathered.facts.src
    assert src is not None
    head = await rig.head(rig.src_spec)
    ((pair, policy),) = rig.deps.pairs.items()
    (token,) = policy.src_tokens
    rule = policy.src_tokens[token]
    cases = [
        (replace(policy, src_tokens={}), Refusal.TOKEN_NOT_LISTED),
        (replace(policy, dst_tokens={}), Refusal.TOKEN_NOT_LISTED),
        (replace(policy, src_tokens={token: replace(rule, max_amount=TokenAmount(1007))}), Refusal.OVER_LIMIT),
        (replace(policy, dst_tokens={token: replace(rule, max_amount=TokenAmount(907))}), Refusal.OVER_LIMIT),
        (replace(policy, dst_tokens={token: replace(rule, max_amount=TokenAmount(908))}), None),
    ]
    assert rule.max_amount == MAX_AMOUNT
    for changed, refusal in cases:
        deps = replace(rig.deps, pairs={pair: changed})
        assert (await check_source(src, gathered.terms, head, LockRecord.EMPTY, deps)).refusal is refusal


def lock_on(immutables: Immutables) -> bytes:
    return resolver_calls.build_deploy_dst(
        immutables=immutables, src_cancellation=UnixTime(2**40), margin=Seconds(10), not_after=UnixTime(2**40)
    )


async def test_a_lock_under_the_hashlock_on_any_chain_is_refused(rig: ResolverRig) -> None:
    swap = await rig.fill(9)
    src = (await rig.gather(swap)).facts.src
    assert src is not None
    other = replace(src.immutables, timelocks=src.immutables.timelocks.deployed(UnixTime(0)))
    await must(rig.src.anvil, OPERATOR, rig.src.contracts.resolver, lock_on(other))
    await rig.read()
    assert await refusal_of(rig, swap) is Refusal.HASHLOCK_USED
    assert await rig.wanted(swap) == []


# What the record of our locks says.


def a_lock(state: IntentState, not_after: int | None) -> StoredIntent:
    return replace(_an_intent(), state=state, not_after=None if not_after is None else UnixTime(not_after))


async def test_the_record_is_empty_for_good_only_when_nothing_of_ours_can_land(rig: ResolverRig) -> None:
    gathered = await rig.gather(await rig.fill(10))
    head = await rig.head(rig.dst_spec)
    final = head.final_time
    cases: list[tuple[list[StoredIntent], LockRecord]] = [
        ([], LockRecord.EMPTY_FINAL),
        ([a_lock(IntentState.DEAD, None)], LockRecord.EMPTY_FINAL),
        ([a_lock(IntentState.PENDING, final - 1)], LockRecord.EMPTY_FINAL),
        ([a_lock(IntentState.PENDING, final)], LockRecord.EMPTY),
        ([a_lock(IntentState.PENDING, final + 1)], LockRecord.EMPTY),
        ([a_lock(IntentState.PENDING, None)], LockRecord.EMPTY),
        ([a_lock(IntentState.WAITING, final)], LockRecord.EMPTY),
        ([a_lock(IntentState.REVERTED, final)], LockRecord.EMPTY),
        ([a_lock(IntentState.MINED, final)], LockRecord.EMPTY),
        ([a_lock(IntentState.DEAD, None), a_lock(IntentState.PENDING, final)], LockRecord.EMPTY),
    ]
    for locks, record in cases:
        assert await load_lock_record(gathered.terms, head, locks, rig.deps) is record, locks
    young = replace(head, final_number=type(head.final_number)(-1))
    assert await load_lock_record(gathered.terms, young, [], rig.deps) is LockRecord.EMPTY


# What is wanted of the lanes.


async def test_a_lock_carries_the_margin_of_the_policy_and_its_own_end(rig: ResolverRig) -> None:
    swap = await rig.fill(11)
    gathered = await rig.gather(swap)
    src = gathered.facts.src
    assert src is not None
    (lock,) = await rig.wanted(swap)
    assert lock.not_after is not None
    assert lock.not_after <= lock_deadline(src, MARGINS)
    assert lock.not_after <= gathered.now.dst.latest + 2 * MARGINS.dst.inclusion
    expected = resolver_calls.build_deploy_dst(
        immutables=replace(
            src.immutables,
            maker=gathered.terms.receiver,
            token=gathered.terms.dst_token,
            amount=gathered.terms.taking_amount,
            safety_deposit=gathered.terms.dst_deposit,
            timelocks=gathered.terms.timelocks.deployed(UnixTime(0)),
        ),
        src_cancellation=src.opens_at(Stage.SRC_CANCELLATION),
        margin=MARGINS.required,
        not_after=lock.not_after,
    )
    assert lock.data == expected


@pytest.mark.parametrize("state", [state for state in IntentState if state is not IntentState.NONE])
async def test_a_fill_and_a_lock_get_no_second_try(rig: ResolverRig, state: IntentState) -> None:
    policy = Policy(margins=MARGINS, accepting=True)
    swap = await rig.fill(12 + list(IntentState).index(state))
    gathered = await rig.gather(swap)
    decision = decide(gathered.facts, gathered.now, policy)
    for action in (Action.FILL, Action.LOCK):
        before: StoredIntent = replace(_an_intent(), action=action, state=state)
        again = replace(gathered, intents=[before])
        assert new_intents(again, replace(decision, actions=(action,)), policy, rig.deps) == []


async def test_a_cancel_that_died_is_tried_again_under_the_next_number(rig: ResolverRig) -> None:
    policy = Policy(margins=MARGINS, accepting=True)
    gathered = await rig.gather(await rig.fill(30))
    decision = decide(gathered.facts, gathered.now, policy)
    for state, ordinals in ((IntentState.DEAD, [1]), (IntentState.PENDING, []), (IntentState.REVERTED, [])):
        before = replace(_an_intent(), action=Action.CANCEL_SRC, state=state)
        again = replace(gathered, intents=[before])
        new = new_intents(again, replace(decision, actions=(Action.CANCEL_SRC,)), policy, rig.deps)
        assert [intent.ordinal for intent in new] == ordinals


def _an_intent() -> StoredIntent:
    return StoredIntent(
        id=1,
        action=Action.LOCK,
        ordinal=0,
        chain_id=DST,
        state=IntentState.PENDING,
        wanted=True,
        not_after=None,
        created_at=datetime.now(UTC),
        signer=None,
        nonce=None,
        tx_hash=None,
        block_number=None,
        gas_used=None,
        gas_price=None,
        failure=None,
    )
