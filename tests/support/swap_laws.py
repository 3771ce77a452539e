"""What must hold of every decision, said once and apart from the code that decides."""

from tests.support.swap_facts import withdrawn

from bmn.core.facts import ChainTimes, Ending, Facts, IntentState, LockRecord, SecretState
from bmn.core.swap import Action, Decision, Policy, State
from bmn.core.timelocks import Stage

_WAITING_FOR_OTHERS = {
    "CLAIM_RETIRING",  # the transaction manager wakes the swap when the nonce is taken back
    "PAY_RETIRING",
    "FILL_FAILED",  # same, of a lock
    "ORDER_GONE",
    "SECRET_KNOWN_BEFORE_FILL",
    "EXPIRED",
    "PAUSED",  # the sweep looks again
    "CHAIN_STALE",
    "SRC_GONE_LOCK_MINED",  # the lock's escrow event
    "SRC_GONE_DST_REFUNDED",  # fill or claim
    "SRC_CANCELLED_LOCK_RETIRING",
    "CLAIM_NOT_FINAL",  # the indexer wakes the swap when its events turn final, or leave the chain
    "SRC_CANCEL_NOT_FINAL",
}


def check_laws(facts: Facts, now: ChainTimes, policy: Policy, decision: Decision) -> None:
    """Raise AssertionError, naming the law, when `decision` breaks one."""
    actions, src, dst, intents = set(decision.actions), facts.src, facts.dst, facts.intents
    assert len(actions) == len(decision.actions), "an action is wanted once"
    assert not actions >= {Action.CLAIM, Action.CANCEL_DST}, "rule 5: never claim and cancel the destination"
    assert not actions >= {Action.PAY, Action.CANCEL_DST}, "never pay and cancel the destination"
    assert not actions >= {Action.CLAIM, Action.CANCEL_SRC}, "never claim and cancel the source"
    for action in actions:
        _LAWS[action](facts, now, policy)
    if decision.state.is_terminal:
        assert not actions, "terminal: no actions"
        assert decision.wake_src is decision.wake_dst is decision.reveal_until is None, "terminal: no wake"
        for escrow in (src, dst):
            assert escrow is None or (escrow.ended is not None and escrow.ended.seen.final), "terminal: all final"
        assert dst is not None or not intents.lock.may_count, "terminal: no lock of ours is under way"
        assert dst is not None or facts.lock_record is not LockRecord.SET, "terminal: nothing of ours is locked"
        assert src is not None or not intents.fill.may_count, "terminal: no fill of ours is under way"
    elif not actions and not decision.state.needs_person:
        waits = decision.wake_src is not None or decision.wake_dst is not None
        assert waits or decision.reason in _WAITING_FOR_OTHERS, "somebody wakes an open swap"
    if decision.reveal_until is not None:
        assert decision.state is State.AWAIT_SECRET, "a reveal is invited in one state only"
        assert src is not None, "a reveal needs both escrows"
        assert dst is not None, "a reveal needs both escrows"
        assert src.created.final, "a reveal needs a final source"
        assert dst.created.final, "a reveal needs a final destination"
        assert decision.reveal_until <= dst.opens_at(Stage.DST_CANCELLATION) - policy.margins.pay_budget


def _fill(facts: Facts, now: ChainTimes, policy: Policy) -> None:
    assert facts.src is None, "a fill is wanted only while no source escrow is there"
    locked = facts.dst is not None or facts.lock_record is LockRecord.SET or facts.intents.lock.is_mined
    if facts.intents.fill.is_mined and not locked:
        return
    assert not facts.order.gone, "a lost order is not filled"
    if locked:
        assert not 0 < facts.order.expires_at < now.src.earliest, "an expired order is not filled"
        return
    assert facts.secret is SecretState.UNKNOWN, "no fill with a known secret"
    expires = facts.order.expires_at
    assert not expires or now.src.latest + policy.margins.src.inclusion <= expires, "a fill leaves time to land"


def _lock(facts: Facts, now: ChainTimes, policy: Policy) -> None:
    src, margins = facts.src, policy.margins
    assert facts.dst is None, "rule 4: one lock"
    assert src is not None, "rule 2: no lock without a source escrow"
    assert src.ended is None, "rule 2: source live at the head"
    if facts.lock_record is LockRecord.SET or facts.intents.lock.is_mined:
        return  # it stands; kept so that the manager follows it
    assert facts.intents.lock is not IntentState.DEAD, "rule 3: no second lock"
    assert src.created.final, "rule 2: source final"
    assert facts.secret is SecretState.UNKNOWN, "rule 2: preimage unknown"
    assert facts.refusal is None, "rule 2: every check holds"
    cancel_at = now.dst.latest + margins.dst.inclusion + src.immutables.timelocks.offset(Stage.DST_CANCELLATION)
    room = src.opens_at(Stage.SRC_CANCELLATION) - max(cancel_at, src.opens_at(Stage.SRC_WITHDRAWAL))
    assert room >= margins.required, "rule 2: margins"
    if not facts.intents.lock.may_count:
        assert policy.accepting, "rule 12: no new lock while paused"
        assert now.src.fresh, "rule 6: no new lock in doubt"
        assert now.dst.fresh, "rule 6: no new lock in doubt"


def _pay(facts: Facts, now: ChainTimes, policy: Policy) -> None:
    src, dst, intents = facts.src, facts.dst, facts.intents
    assert src is not None, "no payout while the source is gone"
    assert dst is not None, "no payout without a destination"
    assert dst.ended is None or withdrawn(dst), "no payout of a refunded escrow"
    if dst.ended is not None:
        assert intents.pay.may_count, "what somebody else paid is not paid again"
    if dst.ended is not None or intents.pay.is_mined:
        return
    assert facts.secret is not SecretState.UNKNOWN or intents.pay.may_count or intents.claim.may_count
    assert now.dst.earliest < dst.opens_at(Stage.DST_CANCELLATION), "no payout when all say it is too late"
    assert src.ended is None or withdrawn(src), "no payout against a cancelled source"
    closes = src.opens_at(Stage.SRC_CANCELLATION)
    in_time = now.src.latest < closes - policy.margins.src.inclusion
    claim_sent = intents.claim.can_land and now.src.earliest < closes
    assert withdrawn(src) or intents.claim.is_mined or claim_sent or in_time, "no payout that cannot be earned back"


def _claim(facts: Facts, now: ChainTimes, policy: Policy) -> None:
    src, dst = facts.src, facts.dst
    assert src is not None, "rule 5: a claim needs a source"
    assert dst is not None, "rule 5: no claim without a destination"
    assert src.ended is None or withdrawn(src), "no claim of a cancelled source"
    assert src.ended is None or facts.intents.claim.may_count, "what somebody else claimed for us is not claimed again"
    assert src.ended is not None or now.src.earliest < src.opens_at(Stage.SRC_CANCELLATION), "no claim too late"
    if withdrawn(dst):
        return
    assert dst.ended is None, "rule 5: never after a refund"
    left = dst.opens_at(Stage.DST_CANCELLATION) - now.dst.latest
    assert left > 0, "rule 5: never after T_dc with the destination unpaid"
    assert left >= policy.margins.pay_budget, "rule 5: time left to pay ourselves"
    assert facts.intents.pay in {IntentState.PENDING, IntentState.MINED, IntentState.DONE}, "3.3: payout accepted"
    assert src.created.final, "spend on final facts"
    assert dst.created.final, "spend on final facts"


def _cancel_dst(facts: Facts, now: ChainTimes, policy: Policy) -> None:
    dst = facts.dst
    assert dst is not None, "only what is there is cancelled"
    assert not facts.intents.claim.may_count, "rule 5: no claim can land or has landed"
    assert not withdrawn(facts.src), "rule 5: the source is not claimed"
    assert not withdrawn(dst), "a paid escrow is not cancelled"
    if dst.ended is None:
        assert now.dst.earliest >= dst.opens_at(Stage.DST_CANCELLATION), "rule 8: not before its window"
        assert not facts.intents.pay.may_count, "3.5: payouts are taken back first"


def _cancel_src(facts: Facts, now: ChainTimes, policy: Policy) -> None:
    src, dst = facts.src, facts.dst
    assert src is not None, "only what is there is cancelled"
    assert not withdrawn(src), "a claimed escrow is not cancelled"
    assert src.ended is None or facts.intents.cancel_src.may_count, "what somebody else cancelled stays as it is"
    assert src.ended is not None or now.src.earliest >= src.opens_at(Stage.SRC_CANCELLATION), "rule 8: its window"
    if dst is None:
        assert facts.lock_record is LockRecord.EMPTY_FINAL, "rule 5: nothing was locked"
        assert not facts.intents.lock.may_count, "rule 5: nothing can be locked"
        return
    assert dst.ended is not None, "rule 5: the destination is back"
    assert dst.ended.how is not Ending.WITHDRAWN, "rule 5: never after the destination was paid"
    assert dst.ended.seen.final, "rule 5: the refund is final"


_LAWS = {
    Action.FILL: _fill,
    Action.LOCK: _lock,
    Action.PAY: _pay,
    Action.CLAIM: _claim,
    Action.CANCEL_DST: _cancel_dst,
    Action.CANCEL_SRC: _cancel_src,
}
