"""The rules that protect money, one by one, each at both sides of its second."""

from dataclasses import replace

import pytest
from tests.support.swap_facts import (
    BOTH_LIVE,
    CHAIN,
    DST,
    EXPIRES,
    FACTS,
    LOCKED_AT,
    LOCKS,
    MARGINS,
    POLICY,
    SHALLOW,
    SRC,
    SRC_LIVE,
    T_DC,
    T_DW,
    T_SC,
    T_SW,
    a_time,
    at,
    ended,
)

from bmn.core.errors import InvariantViolation
from bmn.core.facts import ChainTimes, Ending, Facts, Intents, IntentState, LockRecord, Refusal, SecretState
from bmn.core.swap import Action, State, decide

LOCK_END = T_SC - MARGINS.required - LOCKS.dst_cancellation - CHAIN.inclusion
"""The last second in which a lock may be wanted."""
PAID = replace(BOTH_LIVE, dst=ended(DST, Ending.WITHDRAWN, final=True), secret=SecretState.PUBLIC)


def intents(facts: Facts, **states: IntentState) -> Facts:
    return replace(facts, intents=replace(facts.intents, **states))


def actions(facts: Facts, now: ChainTimes) -> tuple[Action, ...]:
    return decide(facts, now, POLICY).actions


def test_fills_while_the_fill_can_land_before_the_order_expires() -> None:
    last = EXPIRES - CHAIN.inclusion
    assert actions(FACTS, at(last)) == (Action.FILL,)
    assert decide(FACTS, at(last + 1), POLICY).state is State.EXPIRED


def test_a_sent_fill_is_taken_back_before_the_swap_ends() -> None:
    facts = intents(replace(FACTS, order=replace(FACTS.order, gone=True)), fill=IntentState.PENDING)
    decision = decide(facts, at(LOCKED_AT), POLICY)
    assert (decision.state, decision.actions) == (State.FILLING, ())
    dead = intents(facts, fill=IntentState.DEAD)
    assert decide(dead, at(LOCKED_AT), POLICY).state is State.ORDER_GONE


def test_a_swap_does_not_end_while_a_lock_of_ours_is_out_of_sight() -> None:
    facts = replace(FACTS, order=replace(FACTS.order, gone=True), lock_record=LockRecord.SET)
    assert decide(facts, at(LOCKED_AT), POLICY).state is State.SRC_GONE
    sent = intents(replace(facts, lock_record=LockRecord.EMPTY), lock=IntentState.PENDING)
    assert decide(sent, at(LOCKED_AT), POLICY).state is State.FILLING


def test_locks_until_the_margin_is_used_up() -> None:
    assert actions(SRC_LIVE, at(LOCK_END)) == (Action.LOCK,)
    assert decide(SRC_LIVE, at(LOCK_END + 1), POLICY).reason == "MARGIN_TOO_THIN"


def test_too_late_to_lock_is_judged_by_the_fastest_endpoint() -> None:
    now = ChainTimes(src=a_time(LOCK_END), dst=a_time(LOCK_END, LOCK_END + 1))
    assert actions(SRC_LIVE, now) == ()


@pytest.mark.parametrize("refusal", Refusal)
def test_every_refusal_stops_the_lock_and_is_the_reason(refusal: Refusal) -> None:
    decision = decide(replace(SRC_LIVE, refusal=refusal), at(LOCKED_AT), POLICY)
    assert (decision.state, decision.actions, decision.reason) == (State.ABORT, (), refusal.value)


def test_no_lock_against_a_source_that_is_not_final() -> None:
    facts = replace(SRC_LIVE, src=replace(SRC, created=SHALLOW))
    assert decide(facts, at(LOCKED_AT), POLICY).reason == "SRC_NOT_FINAL"


@pytest.mark.parametrize("secret", [SecretState.PRIVATE, SecretState.PUBLIC])
def test_no_lock_when_the_secret_is_known(secret: SecretState) -> None:
    assert actions(replace(SRC_LIVE, secret=secret), at(LOCKED_AT)) == ()


def test_locks_only_while_clocks_differ_by_no_more_than_the_skew() -> None:
    near = ChainTimes(src=a_time(LOCKED_AT + MARGINS.skew), dst=a_time(LOCKED_AT))
    far = ChainTimes(src=a_time(LOCKED_AT + MARGINS.skew + 1), dst=a_time(LOCKED_AT))
    assert actions(SRC_LIVE, near) == (Action.LOCK,)
    assert decide(SRC_LIVE, far, POLICY).reason == "CHAIN_STALE"


def test_an_aborted_source_is_cancelled_exactly_when_its_window_opens() -> None:
    assert actions(SRC_LIVE, at(T_SC - 1)) == ()
    assert actions(SRC_LIVE, at(T_SC)) == (Action.CANCEL_SRC,)
    assert actions(SRC_LIVE, ChainTimes(src=a_time(T_SC - 1, T_SC), dst=a_time(T_SC))) == ()


@pytest.mark.parametrize("lock", [state for state in IntentState if state.may_count])
def test_the_source_is_not_cancelled_while_a_lock_may_count(lock: IntentState) -> None:
    assert Action.CANCEL_SRC not in actions(intents(SRC_LIVE, lock=lock), at(T_SC))


def test_the_source_is_not_cancelled_before_the_lock_record_is_final() -> None:
    assert actions(replace(SRC_LIVE, lock_record=LockRecord.EMPTY), at(T_SC)) == ()


def test_a_reveal_is_invited_until_there_is_no_time_to_pay() -> None:
    decision = decide(BOTH_LIVE, at(T_DC - MARGINS.pay_budget - 1), POLICY)
    assert (decision.reason, decision.reveal_until) == ("AWAIT_SECRET", T_DC - MARGINS.pay_budget)


def test_no_reveal_is_invited_while_an_escrow_is_not_final() -> None:
    for facts in (
        replace(BOTH_LIVE, src=replace(SRC, created=SHALLOW)),
        replace(BOTH_LIVE, dst=replace(DST, created=SHALLOW)),
    ):
        assert decide(facts, at(LOCKED_AT), POLICY).reveal_until is None


def test_no_reveal_is_invited_when_a_halted_destination_outlasts_the_source() -> None:
    urgent = T_SC - MARGINS.required // 2
    still = a_time(LOCKED_AT)
    assert decide(BOTH_LIVE, ChainTimes(src=a_time(urgent - 1), dst=still), POLICY).reveal_until is not None
    assert decide(BOTH_LIVE, ChainTimes(src=a_time(urgent), dst=still), POLICY).reveal_until is None


def test_nothing_is_paid_that_can_not_be_claimed_back() -> None:
    facts = replace(BOTH_LIVE, secret=SecretState.PUBLIC)
    end, halted = T_SC - CHAIN.inclusion, a_time(T_DW)
    assert Action.PAY in actions(facts, ChainTimes(src=a_time(end - 1), dst=halted))
    assert actions(facts, ChainTimes(src=a_time(end), dst=halted)) == ()


def test_a_claimed_source_is_paid_for_however_late_it_is() -> None:
    facts = replace(BOTH_LIVE, secret=SecretState.PUBLIC, src=ended(SRC, Ending.WITHDRAWN, final=False))
    late_source = ChainTimes(src=a_time(T_SC + 1), dst=a_time(T_DC - 1))
    in_doubt = ChainTimes(src=a_time(T_SC + 1), dst=a_time(T_DC - 1, T_DC))
    assert actions(facts, late_source) == actions(facts, in_doubt) == (Action.PAY,)
    assert decide(facts, at(T_DC), POLICY).state is State.OWED


def test_pays_exactly_when_the_window_opens() -> None:
    facts = replace(BOTH_LIVE, secret=SecretState.PRIVATE)
    assert actions(facts, at(T_DW - 1)) == ()
    assert actions(facts, at(T_DW)) == (Action.PAY,)


def test_a_private_secret_waits_for_a_final_source_and_a_public_one_does_not() -> None:
    facts = replace(BOTH_LIVE, src=replace(SRC, created=SHALLOW), secret=SecretState.PRIVATE)
    assert actions(facts, at(T_DW)) == ()
    assert actions(replace(facts, secret=SecretState.PUBLIC), at(T_DW)) == (Action.PAY,)


@pytest.mark.parametrize("pay", IntentState)
def test_claims_an_open_swap_only_once_the_payout_is_accepted(pay: IntentState) -> None:
    facts = intents(replace(BOTH_LIVE, secret=SecretState.PRIVATE), pay=pay)
    accepted = pay in {IntentState.PENDING, IntentState.MINED, IntentState.DONE}
    assert (Action.CLAIM in actions(facts, at(T_DW))) is accepted


def test_claims_an_unpaid_swap_only_with_time_left_to_pay() -> None:
    facts = intents(replace(BOTH_LIVE, secret=SecretState.PRIVATE), pay=IntentState.PENDING)
    last = T_DC - MARGINS.pay_budget
    assert actions(facts, at(last)) == (Action.PAY, Action.CLAIM)
    assert actions(facts, at(last + 1)) == (Action.PAY,)
    assert actions(facts, ChainTimes(src=a_time(last), dst=a_time(last, last + 1))) == (Action.PAY,)


def test_claims_a_paid_swap_from_the_first_to_the_last_second_of_the_window() -> None:
    assert Action.CLAIM not in actions(PAID, at(T_SW - 1))
    assert Action.CLAIM in actions(PAID, at(T_SW))
    assert Action.CLAIM in actions(PAID, ChainTimes(src=a_time(T_SC - 1, T_SC), dst=a_time(T_DC)))
    assert decide(PAID, at(T_SC), POLICY).state is State.STRANDED


def test_a_payout_too_shallow_to_repay_is_claimed_at_the_urgent_point_at_the_latest() -> None:
    facts = replace(PAID, dst=ended(DST, Ending.WITHDRAWN, final=False))
    urgent = T_SC - MARGINS.required // 2
    late = a_time(T_DC - MARGINS.pay_budget + 1)
    assert Action.CLAIM not in actions(facts, ChainTimes(src=a_time(urgent - 1), dst=late))
    assert Action.CLAIM in actions(facts, ChainTimes(src=a_time(urgent), dst=late))
    begun = intents(facts, claim=IntentState.PENDING)
    assert Action.CLAIM in actions(begun, ChainTimes(src=a_time(urgent - 1), dst=late))


def test_the_destination_is_cancelled_exactly_when_every_endpoint_says_its_window_opened() -> None:
    assert actions(BOTH_LIVE, at(T_DC - 1)) == ()
    assert actions(BOTH_LIVE, ChainTimes(src=a_time(T_DC), dst=a_time(T_DC - 1, T_DC))) == ()
    assert actions(BOTH_LIVE, at(T_DC)) == (Action.CANCEL_DST,)


@pytest.mark.parametrize("claim", [state for state in IntentState if state.may_count])
def test_the_destination_is_not_cancelled_while_a_claim_may_count(claim: IntentState) -> None:
    for facts in (BOTH_LIVE, replace(BOTH_LIVE, src=None)):
        decision = decide(intents(facts, claim=claim), at(T_DC), POLICY)
        assert (decision.actions, decision.reason) == ((), "CLAIM_RETIRING")


def test_the_source_is_cancelled_only_after_the_refund_is_final() -> None:
    shallow = replace(BOTH_LIVE, dst=ended(DST, Ending.CANCELLED, final=False))
    final = replace(BOTH_LIVE, dst=ended(DST, Ending.CANCELLED, final=True))
    assert actions(shallow, at(T_SC)) == (Action.CANCEL_DST,)
    assert actions(final, at(T_SC - 1)) == ()
    assert actions(final, at(T_SC)) == (Action.CANCEL_SRC,)


def test_a_secret_learned_after_the_refund_is_not_used() -> None:
    facts = replace(BOTH_LIVE, dst=ended(DST, Ending.CANCELLED, final=True), secret=SecretState.PUBLIC)
    assert actions(facts, at(T_DC)) == ()


def test_a_paid_destination_with_a_cancelled_source_is_a_loss_when_both_are_final() -> None:
    facts = replace(PAID, src=ended(SRC, Ending.CANCELLED, final=True))
    assert decide(facts, at(T_SC), POLICY).state is State.LOSS


def test_a_gone_source_is_filled_again_until_that_can_not_help() -> None:
    facts = replace(BOTH_LIVE, src=None, intents=Intents(fill=IntentState.REVERTED, lock=IntentState.DONE))
    assert actions(facts, at(T_DC - 1)) == (Action.FILL,)
    assert actions(facts, at(T_DC)) == (Action.CANCEL_DST,)
    rival = replace(facts, order=replace(facts.order, gone=True))
    assert actions(rival, at(T_DC - 1)) == ()


def test_withdrawn_with_an_unknown_secret_is_a_contradiction() -> None:
    with pytest.raises(InvariantViolation, match="FACTS_CONTRADICT"):
        decide(replace(PAID, secret=SecretState.UNKNOWN), at(T_DC), POLICY)
