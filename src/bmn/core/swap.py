"""The decision: from facts, chain times and policy to a state and the transactions wanted now.

Pure and total: same facts, same answer. Restart, duplicate, gap and reorg are the ordinary path.
Windows are open at their start second and closed at their end second.
"""

from dataclasses import dataclass
from enum import Enum

from bmn.core.errors import InvariantViolation
from bmn.core.facts import (
    ChainTime,
    ChainTimes,
    Ending,
    EscrowFacts,
    Facts,
    IntentState,
    LockRecord,
    Refusal,
    SecretState,
)
from bmn.core.margins import Margins
from bmn.core.timelocks import Stage
from bmn.core.units import UnixTime


class State(Enum):
    """Where a swap stands; derived from facts, stored only as an index."""

    ACCEPTED = "ACCEPTED"
    FILLING = "FILLING"
    SRC_LIVE = "SRC_LIVE"
    LOCKING = "LOCKING"
    DST_LIVE = "DST_LIVE"
    AWAIT_SECRET = "AWAIT_SECRET"  # noqa: S105 - a state, not a password
    SECRET_PRIVATE = "SECRET_PRIVATE"  # noqa: S105 - same
    SECRET_PUBLIC = "SECRET_PUBLIC"  # noqa: S105 - same
    CLAIMED = "CLAIMED"
    ABORT = "ABORT"
    UNWIND = "UNWIND"
    SRC_GONE = "SRC_GONE"
    OWED = "OWED"
    STRANDED = "STRANDED"
    SETTLED = "SETTLED"
    REFUNDED = "REFUNDED"
    ORDER_GONE = "ORDER_GONE"
    EXPIRED = "EXPIRED"
    LOSS = "LOSS"

    @property
    def is_terminal(self) -> bool:
        """Whether nothing is left to do."""
        return self in _TERMINAL

    @property
    def needs_person(self) -> bool:
        """Whether only a person can move it on."""
        return self in {State.OWED, State.STRANDED, State.LOSS}


_TERMINAL = frozenset({State.SETTLED, State.REFUNDED, State.ORDER_GONE, State.EXPIRED, State.LOSS})


class Action(Enum):
    """A transaction we may want; with the hashlock it is the natural key of an intent."""

    FILL = "fill"
    LOCK = "lock"
    PAY = "pay"
    """`Resolver.withdrawDst`: the maker is paid."""
    CLAIM = "claim"
    """`Resolver.withdrawSrc`: we are paid."""
    CANCEL_DST = "cancel_dst"
    CANCEL_SRC = "cancel_src"

    @property
    def bears_secret(self) -> bool:
        """Whether its calldata carries the secret."""
        return self in {Action.PAY, Action.CLAIM}


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the operator decided, for one pair of chains."""

    margins: Margins
    accepting: bool
    """False while paused: no new fills and locks. Everything else goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What is to be recorded."""

    state: State
    actions: tuple[Action, ...]
    """Wanted now, most urgent first. A recorded intent that is not wanted any more is retired."""
    reason: str
    """The rule that made it, as a stable code."""
    wake_src: UnixTime | None = None
    """Look again when the source chain reaches this time."""
    wake_dst: UnixTime | None = None
    """Look again when the destination chain reaches this time."""
    reveal_until: UnixTime | None = None
    """While not None and the destination chain is before it, a secret handed over is taken."""


def decide(facts: Facts, now: ChainTimes, policy: Policy) -> Decision:
    """Return the state of the swap and what to do now.

    Raises:
        InvariantViolation: the facts cannot all be true.
    """
    if facts.secret is SecretState.UNKNOWN and (_is_withdrawn(facts.src) or _is_withdrawn(facts.dst)):
        raise InvariantViolation("FACTS_CONTRADICT", "an escrow was withdrawn with a secret that nobody knows")
    match (facts.src, facts.dst):
        case (None, None):
            return _before_fill(facts, now, policy)
        case (None, dst) if dst is not None:
            return _source_gone(facts, dst, now)
        case (src, None) if src is not None:
            return _before_lock(facts, src, now, policy)
        case (src, dst) if src is not None and dst is not None:
            return _both_live(facts, src, dst, now, policy.margins)
    raise InvariantViolation("FACTS_CONTRADICT", "no rule matches the escrows of this swap")


def _is_withdrawn(escrow: EscrowFacts | None) -> bool:
    return escrow is not None and escrow.ended is not None and escrow.ended.how is Ending.WITHDRAWN


def _never_locks(facts: Facts) -> bool:
    """Whether nothing of ours is or ever can be locked: what a source cancel needs."""
    return facts.lock_record is LockRecord.EMPTY_FINAL and not facts.intents.lock.may_count


def earliest_lock_end(lock_at: UnixTime, src: EscrowFacts) -> UnixTime:
    """Return `T_dstCancellation` of a destination escrow created at `lock_at`."""
    return UnixTime(lock_at + src.immutables.timelocks.offset(Stage.DST_CANCELLATION))


def lock_deadline(src: EscrowFacts, margins: Margins) -> UnixTime:
    """Return the last destination time at which a lock still leaves the required margin (`t_create`)."""
    offset = src.immutables.timelocks.offset(Stage.DST_CANCELLATION)
    return UnixTime(src.opens_at(Stage.SRC_CANCELLATION) - margins.required - offset)


def _before_fill(facts: Facts, now: ChainTimes, policy: Policy) -> Decision:
    if facts.lock_record is LockRecord.SET or facts.intents.lock.is_mined:
        # Both escrows out of sight, ours on the destination paid for: as if the destination were seen.
        return Decision(state=State.SRC_GONE, actions=_refill(facts, now.src), reason="SRC_GONE_LOCK_MINED")
    fill = facts.intents.fill
    if fill.is_mined:
        return Decision(state=State.FILLING, actions=(Action.FILL,), reason="FILL_MINED_NOT_INDEXED")
    end, reason = _why_never_fill(facts, now.src, policy.margins)
    if end is not None:
        # A fill or lock already sent is taken back at its nonce before the swap may end.
        state = State.FILLING if fill.can_land or facts.intents.lock.can_land else end
        return Decision(state=state, actions=(), reason=reason)
    if fill.can_land:
        return Decision(state=State.FILLING, actions=(Action.FILL,), reason="FILL_SENT")
    if not policy.accepting:
        return Decision(state=State.ACCEPTED, actions=(), reason="PAUSED")
    if not _both_fresh(now, policy.margins):
        return Decision(state=State.ACCEPTED, actions=(), reason="CHAIN_STALE", wake_src=_next_block(now.src))
    return Decision(state=State.FILLING, actions=(Action.FILL,), reason="FILL")


def _why_never_fill(facts: Facts, now: ChainTime, margins: Margins) -> tuple[State | None, str]:
    if facts.refusal is not None:
        # Somebody else's fill; why ours failed follows from it.
        return State.ORDER_GONE, facts.refusal.value
    if facts.intents.fill is IntentState.DEAD:
        return State.ORDER_GONE, "FILL_FAILED"
    if facts.order.gone:
        return State.ORDER_GONE, "ORDER_GONE"
    if facts.secret is not SecretState.UNKNOWN:
        return State.ORDER_GONE, "SECRET_KNOWN_BEFORE_FILL"
    expires = facts.order.expires_at
    return (State.EXPIRED, "EXPIRED") if expires and now.latest + margins.src.inclusion > expires else (None, "")


def _before_lock(facts: Facts, src: EscrowFacts, now: ChainTimes, policy: Policy) -> Decision:
    if src.ended is not None:
        return _source_ended_without_lock(facts, src)
    if facts.lock_record is LockRecord.SET or facts.intents.lock.is_mined:
        return Decision(state=State.LOCKING, actions=(Action.LOCK,), reason="LOCK_MINED_NOT_INDEXED")
    refusal = _why_not_lock(facts, src, now, policy)
    if refusal is None:
        return Decision(state=State.LOCKING, actions=(Action.LOCK,), reason="LOCK", wake_dst=_lock_end(src, policy))
    if refusal in _WAIT_REASONS:
        # A lock already sent stays wanted through doubt that passes: its own deadline bounds it on chain.
        kept = (Action.LOCK,) if facts.intents.lock.can_land and refusal != "SRC_NOT_FINAL" else ()
        state = State.LOCKING if kept else State.SRC_LIVE
        wake_src = _next_block(now.src) if refusal == "CHAIN_STALE" else None
        return Decision(state=state, actions=kept, reason=refusal, wake_src=wake_src, wake_dst=_lock_end(src, policy))
    return _abort(facts, src, now.src, refusal)


_WAIT_REASONS = frozenset({"SRC_NOT_FINAL", "PAUSED", "CHAIN_STALE"})


def _lock_end(src: EscrowFacts, policy: Policy) -> UnixTime:
    return UnixTime(lock_deadline(src, policy.margins) + 1)


def _why_not_lock(facts: Facts, src: EscrowFacts, now: ChainTimes, policy: Policy) -> str | None:
    """Money rule 2. Return None when every condition holds, else the code of the first that does not."""
    margins = policy.margins
    if facts.refusal is not None:
        return facts.refusal.value
    if facts.secret is not SecretState.UNKNOWN:
        return "SECRET_KNOWN_BEFORE_LOCK"
    if facts.intents.lock is IntentState.DEAD:
        return "LOCK_FAILED"
    included = UnixTime(now.dst.latest + margins.dst.inclusion)
    window_end = max(earliest_lock_end(included, src), src.opens_at(Stage.SRC_WITHDRAWAL))
    if src.opens_at(Stage.SRC_CANCELLATION) - window_end < margins.required:
        return "MARGIN_TOO_THIN"
    if now.src.latest >= src.opens_at(Stage.SRC_CANCELLATION) - margins.required:
        return "TOO_LATE_TO_LOCK"
    if not src.created.final:
        return "SRC_NOT_FINAL"
    if not policy.accepting:
        return "PAUSED"
    if not _both_fresh(now, margins):
        return "CHAIN_STALE"
    return None


def _next_block(now: ChainTime) -> UnixTime:
    """Return when doubt about the clocks may be over: with the next block that the journal reads."""
    return UnixTime(now.latest + 1)


def _both_fresh(now: ChainTimes, margins: Margins) -> bool:
    return now.src.fresh and now.dst.fresh and abs(now.src.latest - now.dst.latest) <= margins.skew


def _source_ended_without_lock(facts: Facts, src: EscrowFacts) -> Decision:
    assert src.ended is not None
    if src.ended.how is not Ending.CANCELLED:
        return Decision(state=State.OWED, actions=(), reason="CLAIMED_WITHOUT_DESTINATION")
    if not _never_locks(facts):
        again = src.opens_at(Stage.SRC_CANCELLATION)
        return Decision(state=State.ABORT, actions=(), reason="SRC_CANCELLED_LOCK_RETIRING", wake_src=again)
    if not src.ended.seen.final:
        return Decision(state=State.ABORT, actions=_kept(facts, Action.CANCEL_SRC), reason="SRC_CANCEL_NOT_FINAL")
    return Decision(state=State.REFUNDED, actions=(), reason="SRC_CANCELLED")


def _abort(facts: Facts, src: EscrowFacts, now: ChainTime, reason: str) -> Decision:
    """Nothing of ours is locked: give the maker his tokens back as soon as nothing of ours can be locked any more."""
    cancel_at = src.opens_at(Stage.SRC_CANCELLATION)
    if _never_locks(facts) and now.earliest >= cancel_at:
        return Decision(state=State.ABORT, actions=(Action.CANCEL_SRC,), reason=reason)
    return Decision(state=State.ABORT, actions=(), reason=reason, wake_src=cancel_at)


def _source_gone(facts: Facts, dst: EscrowFacts, now: ChainTimes) -> Decision:
    """A reorg took our fill after our lock: the same fill may land again, else the destination is taken back."""
    cancel_at = dst.opens_at(Stage.DST_CANCELLATION)
    if dst.ended is None and not facts.intents.pay.is_mined:
        if now.dst.earliest >= cancel_at:
            # Fill and claim may land again behind each other, so the claim bars the refund as ever.
            return _destination_overdue(facts, state=State.SRC_GONE)
        again = _refill(facts, now.src)
        reason = "SRC_GONE_REFILL" if again else "SRC_GONE_WAIT_REFUND"
        return Decision(state=State.SRC_GONE, actions=again, reason=reason, wake_dst=cancel_at)
    if dst.ended is None or dst.ended.how is Ending.WITHDRAWN:
        again = _refill(facts, now.src)
        state = State.SRC_GONE if again else State.STRANDED
        return Decision(state=state, actions=again, reason="SRC_GONE_DST_PAID")
    if dst.ended.seen.final and not facts.intents.fill.may_count:
        return Decision(state=State.REFUNDED, actions=(), reason="SRC_GONE_DST_REFUNDED")
    return Decision(state=State.SRC_GONE, actions=_cancel_dst(facts), reason="SRC_GONE_DST_REFUNDED")


def _refill(facts: Facts, now: ChainTime) -> tuple[Action, ...]:
    """The fill of a swap we have locked for ranks as a claim: only what makes it impossible stops it."""
    expired = 0 < facts.order.expires_at < now.earliest
    possible = not (facts.order.gone or expired or facts.intents.fill is IntentState.DEAD)
    return (Action.FILL,) if possible else ()


def _both_live(facts: Facts, src: EscrowFacts, dst: EscrowFacts, now: ChainTimes, margins: Margins) -> Decision:
    if src.ended is not None and src.ended.how is Ending.RESCUED:
        return Decision(state=State.STRANDED, actions=(), reason="SRC_RESCUED")
    if dst.ended is None:
        return _destination_open(facts, src, dst, now, margins)
    match dst.ended.how:
        case Ending.WITHDRAWN:
            return _destination_paid(facts, src, dst, now, margins)
        case Ending.CANCELLED | Ending.RESCUED:
            return _destination_refunded(facts, src, dst, now.src)
    raise InvariantViolation("FACTS_CONTRADICT", "no rule matches how the destination ended")


def _destination_open(facts: Facts, src: EscrowFacts, dst: EscrowFacts, now: ChainTimes, margins: Margins) -> Decision:
    cancel_at = dst.opens_at(Stage.DST_CANCELLATION)
    claimed = _is_withdrawn(src)
    if now.dst.earliest >= cancel_at:
        return _destination_overdue(facts, state=State.OWED if claimed else State.UNWIND)
    if src.ended is not None and not claimed:
        return Decision(state=State.UNWIND, actions=(), reason="SRC_CANCELLED_DST_OPEN", wake_dst=cancel_at)
    if now.dst.latest >= cancel_at:
        state = State.CLAIMED if claimed else State.UNWIND
        # One endpoint thinks it is still in time: a payout sent or owed goes on, a new one is not begun.
        begun = claimed or facts.intents.pay.may_count or facts.intents.claim.may_count
        pay = (Action.PAY,) if begun and _earns_back(facts, src, now.src, margins) else ()
        return Decision(state=state, actions=pay, reason="DST_WINDOW_IN_DOUBT", wake_dst=cancel_at)
    if facts.secret is SecretState.UNKNOWN:
        return _await_secret(src, dst, now, margins)
    return _secret_known(facts, src, dst, now, margins)


def _destination_overdue(facts: Facts, *, state: State) -> Decision:
    """Our escrow is unpaid and its window has passed; `state` says what became of the source."""
    if facts.intents.pay.is_mined:
        return Decision(state=State.SECRET_PUBLIC, actions=(Action.PAY,), reason="PAY_MINED_NOT_INDEXED")
    if state is State.OWED:
        return Decision(state=state, actions=(), reason="CLAIMED_NOT_PAID")
    if facts.intents.claim.may_count:
        # The claim must be off the table for good before the destination is taken back (rule 5).
        return Decision(state=state, actions=(), reason="CLAIM_RETIRING")
    if facts.intents.pay.can_land:
        # Mined late it reverts and prints the secret; its nonce is taken back first.
        return Decision(state=state, actions=(), reason="PAY_RETIRING")
    return Decision(state=state, actions=(Action.CANCEL_DST,), reason="DST_CANCEL")


def _cancel_dst(facts: Facts) -> tuple[Action, ...]:
    """The refund stays wanted until final, since a reorg may undo it; never beside a claim."""
    return () if facts.intents.claim.may_count else (Action.CANCEL_DST,)


def _await_secret(src: EscrowFacts, dst: EscrowFacts, now: ChainTimes, margins: Margins) -> Decision:
    cancel_at = dst.opens_at(Stage.DST_CANCELLATION)
    if not (dst.created.final and src.created.final):
        return Decision(state=State.DST_LIVE, actions=(), reason="DST_NOT_FINAL", wake_dst=cancel_at)
    gap = src.opens_at(Stage.SRC_CANCELLATION) - max(cancel_at, src.opens_at(Stage.SRC_WITHDRAWAL))
    if gap < margins.required:
        # Only a reorg of the source after our lock brings us here: act on a reveal, never invite one.
        return Decision(state=State.AWAIT_SECRET, actions=(), reason="MARGIN_LOST", wake_dst=cancel_at)
    urgent_at = _urgent_at(src, margins)
    if now.src.latest >= urgent_at:
        # Only a halt of the destination brings us here: its window is open, the one that pays us back nearly shut.
        return Decision(state=State.AWAIT_SECRET, actions=(), reason="SRC_WINDOW_ENDING", wake_dst=cancel_at)
    until = UnixTime(cancel_at - margins.pay_budget)
    return Decision(
        state=State.AWAIT_SECRET,
        actions=(),
        reason="AWAIT_SECRET" if now.dst.latest < until else "TOO_LATE_TO_INVITE",
        wake_src=urgent_at,
        wake_dst=cancel_at,
        reveal_until=until,
    )


def _secret_known(facts: Facts, src: EscrowFacts, dst: EscrowFacts, now: ChainTimes, margins: Margins) -> Decision:
    """Our escrow is open and in time: paying it is wanted at once, claiming as soon as we can surely pay."""
    intents, claimed = facts.intents, src.ended is not None
    public = facts.secret is SecretState.PUBLIC
    state = State.SECRET_PUBLIC if public else State.SECRET_PRIVATE
    cancel_at, pay_at = dst.opens_at(Stage.DST_CANCELLATION), dst.opens_at(Stage.DST_WITHDRAWAL)
    if not _earns_back(facts, src, now.src, margins):
        return Decision(state=state, actions=(), reason="SRC_WINDOW_ENDING", wake_dst=cancel_at)
    if not (public or src.created.final or intents.pay.may_count):
        return Decision(state=state, actions=(), reason="SRC_NOT_FINAL", wake_dst=cancel_at)
    open_now = _has_opened(pay_at, cancel_at, now.dst) or intents.pay.may_count
    pay = (Action.PAY,) if open_now else ()
    wake_dst = cancel_at if pay else pay_at
    if claimed:
        return Decision(state=State.CLAIMED, actions=pay, reason="CLAIMED_PAY_NOW", wake_dst=wake_dst)
    pay_sent = intents.pay is IntentState.PENDING or intents.pay.is_mined
    time_to_pay = cancel_at - now.dst.latest >= margins.pay_budget
    can_claim = pay_sent and time_to_pay and src.created.final and dst.created.final
    claim, wake_src = _claim_if_open(src, now.src) if can_claim else ((), _src_end(src, margins))
    reason = "PAY_AND_CLAIM" if claim else "PAY"
    return Decision(state=state, actions=(*pay, *claim), reason=reason, wake_src=wake_src, wake_dst=wake_dst)


def _earns_back(facts: Facts, src: EscrowFacts, now: ChainTime, margins: Margins) -> bool:
    """Whether our claim came before a payout made now, or can follow it: a halted destination must not outlast it."""
    claim = facts.intents.claim
    if _is_withdrawn(src) or claim.is_mined:
        return True
    closes = src.opens_at(Stage.SRC_CANCELLATION)
    return now.earliest < closes if claim.can_land else now.latest < _src_end(src, margins)


def _src_end(src: EscrowFacts, margins: Margins) -> UnixTime:
    """The source time from which nothing may be paid that is not claimed already."""
    return UnixTime(src.opens_at(Stage.SRC_CANCELLATION) - margins.src.inclusion)


def _urgent_at(src: EscrowFacts, margins: Margins) -> UnixTime:
    """The source time from which a claim waits for nothing and no reveal is invited."""
    return UnixTime(src.opens_at(Stage.SRC_CANCELLATION) - margins.required // 2)


def _claim_if_open(src: EscrowFacts, now: ChainTime) -> tuple[tuple[Action, ...], UnixTime | None]:
    """Return the claim when its window is open, else when to look again."""
    opens, closes = src.opens_at(Stage.SRC_WITHDRAWAL), src.opens_at(Stage.SRC_CANCELLATION)
    if not _has_opened(opens, closes, now):
        return (), opens
    if now.earliest >= closes:
        return (), None
    return (Action.CLAIM,), closes


def _has_opened(opens: UnixTime, closes: UnixTime, now: ChainTime) -> bool:
    """Whether a window may be used: every endpoint says so, or half of it has passed by any (doubt never stops us)."""
    return now.earliest >= opens or now.latest >= opens + (closes - opens) // 2


def _destination_paid(facts: Facts, src: EscrowFacts, dst: EscrowFacts, now: ChainTimes, margins: Margins) -> Decision:
    assert dst.ended is not None
    paid_final = dst.ended.seen.final
    if src.ended is not None:
        if src.ended.how is Ending.CANCELLED:
            state = State.LOSS if src.ended.seen.final and paid_final else State.STRANDED
            return Decision(state=state, actions=(), reason="PAID_AND_SRC_CANCELLED")
        if src.ended.seen.final and paid_final:
            return Decision(state=State.SETTLED, actions=(), reason="BOTH_FINAL")
        return Decision(state=State.CLAIMED, actions=_kept(facts, Action.PAY, Action.CLAIM), reason="CLAIM_NOT_FINAL")
    end = src.opens_at(Stage.SRC_CANCELLATION)
    if now.src.earliest >= end:
        return Decision(state=State.STRANDED, actions=(), reason="CLAIM_WINDOW_MISSED")
    urgent_at = _urgent_at(src, margins)
    can_repay = dst.opens_at(Stage.DST_CANCELLATION) - now.dst.latest >= margins.pay_budget
    # A claim once allowed is not taken back because the payout grew old before it grew final.
    claiming = facts.intents.claim.may_count
    if not (paid_final or can_repay or claiming or now.src.latest >= urgent_at):
        kept = _kept(facts, Action.PAY)
        return Decision(state=State.SECRET_PUBLIC, actions=kept, reason="PAYOUT_NOT_FINAL", wake_src=urgent_at)
    claim, wake = _claim_if_open(src, now.src)
    kept = _kept(facts, Action.PAY)
    return Decision(state=State.SECRET_PUBLIC, actions=(*claim, *kept), reason="CLAIM", wake_src=wake)


def _kept(facts: Facts, *actions: Action) -> tuple[Action, ...]:
    """Return those of `actions` that we sent ourselves; their effect stands in a block.

    They stay wanted until that block is final, since a reorg may undo it. What somebody else did for us is not sent
    again, only to revert.
    """
    intents = facts.intents
    states = {
        Action.PAY: intents.pay,
        Action.CLAIM: intents.claim,
        Action.CANCEL_DST: intents.cancel_dst,
        Action.CANCEL_SRC: intents.cancel_src,
    }
    return tuple(action for action in actions if states[action].may_count)


def _destination_refunded(facts: Facts, src: EscrowFacts, dst: EscrowFacts, now: ChainTime) -> Decision:
    assert dst.ended is not None
    cancel_at = src.opens_at(Stage.SRC_CANCELLATION)
    if _is_withdrawn(src):
        return Decision(state=State.OWED, actions=(), reason="CLAIMED_AND_REFUNDED")
    if not dst.ended.seen.final:
        return Decision(
            state=State.UNWIND, actions=_cancel_dst(facts), reason="DST_REFUND_NOT_FINAL", wake_src=cancel_at
        )
    if src.ended is not None and src.ended.seen.final:
        return Decision(state=State.REFUNDED, actions=(), reason="BOTH_REFUNDED")
    if src.ended is not None:
        return Decision(state=State.UNWIND, actions=_kept(facts, Action.CANCEL_SRC), reason="SRC_CANCEL_NOT_FINAL")
    if now.earliest >= cancel_at:
        return Decision(state=State.UNWIND, actions=(Action.CANCEL_SRC,), reason="SRC_CANCEL")
    return Decision(state=State.UNWIND, actions=(), reason="WAIT_SRC_CANCEL", wake_src=cancel_at)


__all__ = ["Action", "Decision", "Policy", "Refusal", "State", "decide", "earliest_lock_end", "lock_deadline"]
