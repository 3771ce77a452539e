"""Where an intent stands, by the receipts of everything ever signed at its nonce. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bmn.core.facts import IntentState
from bmn.core.swap import Action
from bmn.core.units import BlockNumber, TxHash, UnixTime
from bmn.evm.types import Receipt, TxStatus
from bmn.store.txs import LaneIntent

_REFUSABLE = {Action.FILL.value, Action.LOCK.value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the chain says about one intent."""

    state: IntentState
    receipt: Receipt | None
    """Of the transaction that used up the nonce."""
    failure: str | None = None
    """Why it is dead or about to be."""

    @property
    def is_final(self) -> bool:
        """Whether no block to come can change it."""
        return self.state in {IntentState.DONE, IntentState.DEAD}


def judge(intent: LaneIntent, receipts: Mapping[TxHash, Receipt | None], head: BlockNumber, depth: int) -> Verdict:
    """Return where `intent` stands; a block is final when `depth` blocks stand on top of it."""
    for attempt in intent.attempts:
        receipt = receipts.get(attempt.hash)
        if receipt is None:
            continue
        final = head - receipt.block_number >= depth
        if attempt.is_cancel:
            state = IntentState.DEAD if final else IntentState.REVERTED
            return Verdict(state=state, receipt=receipt, failure="taken back by a self-transfer at its nonce")
        if receipt.status is TxStatus.REVERTED:
            state = IntentState.DEAD if final else IntentState.REVERTED
            return Verdict(state=state, receipt=receipt, failure="reverted")
        return Verdict(state=IntentState.DONE if final else IntentState.MINED, receipt=receipt)
    was_taken = any(attempt.accepted and not attempt.is_cancel for attempt in intent.attempts)
    return Verdict(state=IntentState.PENDING if was_taken else IntentState.WAITING, receipt=None)


def is_retired(intent: LaneIntent, now: UnixTime) -> bool:
    """Whether its nonce is to be used up by a self-transfer: nobody wants it, or it is too late at chain time `now`."""
    return not intent.wanted or (intent.not_after is not None and now > intent.not_after)


def may_be_refused(action: str) -> bool:
    """Whether a simulation that reverts ends it before anything is sent. Claims, payouts, cancels are sent anyway.

    The same actions do not move to another nonce by themselves: a fill or lock must not land twice.
    """
    return action in _REFUSABLE


def choose_next(waiting: Sequence[LaneIntent], in_flight: int, cap: int) -> list[LaneIntent]:
    """Return who gets a nonce now, most urgent first; urgency 0 may fill the lane to twice its cap."""
    chosen: list[LaneIntent] = []
    for intent in sorted(waiting, key=lambda one: (one.urgency, one.id)):
        room = cap * 2 if intent.urgency == 0 else cap
        if in_flight + len(chosen) < room:
            chosen.append(intent)
    return chosen
