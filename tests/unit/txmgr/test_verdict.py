from dataclasses import replace

import pytest

from bmn.core.facts import IntentState
from bmn.core.swap import Action
from bmn.core.units import ZERO_ADDRESS, BlockHash, BlockNumber, Gas, Hashlock, Nonce, TxHash, UnixTime, Wei
from bmn.evm.types import Fees, Receipt, TxStatus
from bmn.store.txs import Attempt, LaneIntent
from bmn.txmgr.verdict import choose_next, is_retired, judge, may_be_refused

FEES = Fees(max_fee_per_gas=Wei(1), max_priority_fee_per_gas=Wei(1))
DEPTH = 3


def attempt(number: int, *, is_cancel: bool = False, accepted: bool = True) -> Attempt:
    return Attempt(
        hash=TxHash(bytes([number]) * 32),
        raw=b"",
        fees=FEES,
        signed_at=BlockNumber(0),
        is_cancel=is_cancel,
        accepted=accepted,
        block_hash=None,
    )


def intent(*attempts: Attempt, urgency: int = 2, number: int = 1) -> LaneIntent:
    return LaneIntent(
        id=number,
        hashlock=Hashlock(bytes(32)),
        action="lock",
        target=ZERO_ADDRESS,
        data=b"",
        value=Wei(0),
        gas=Gas(1),
        not_after=None,
        urgency=urgency,
        bears_secret=False,
        state=IntentState.PENDING,
        wanted=True,
        nonce=Nonce(0),
        attempts=attempts,
    )


def receipt(number: int, status: TxStatus = TxStatus.SUCCEEDED) -> Receipt:
    return Receipt(
        tx_hash=TxHash(bytes([number]) * 32),
        status=status,
        block_hash=BlockHash(bytes(32)),
        block_number=BlockNumber(10),
        gas_used=Gas(1),
        effective_gas_price=Wei(1),
        l1_fee=Wei(0),
        logs=(),
        contract_address=None,
    )


@pytest.mark.parametrize(
    ("number", "status", "shallow", "final"),
    [
        (1, TxStatus.SUCCEEDED, IntentState.MINED, IntentState.DONE),
        (2, TxStatus.SUCCEEDED, IntentState.MINED, IntentState.DONE),
        (1, TxStatus.REVERTED, IntentState.REVERTED, IntentState.DEAD),
        (3, TxStatus.SUCCEEDED, IntentState.REVERTED, IntentState.DEAD),
    ],
)
def test_any_attempt_decides_and_is_final_exactly_at_depth(
    number: int, status: TxStatus, shallow: IntentState, final: IntentState
) -> None:
    held = intent(attempt(1), attempt(2), attempt(3, is_cancel=True))
    receipts = {one.hash: None for one in held.attempts} | {TxHash(bytes([number]) * 32): receipt(number, status)}
    assert judge(held, receipts, BlockNumber(12), DEPTH).state is shallow
    assert judge(held, receipts, BlockNumber(13), DEPTH).state is final
    assert judge(held, receipts, BlockNumber(9), DEPTH).state is shallow


def test_unmined_is_pending_only_if_an_endpoint_took_the_transaction_itself() -> None:
    head = BlockNumber(20)
    refused, taken, cancel = attempt(1, accepted=False), attempt(2), attempt(3, is_cancel=True)
    assert judge(intent(refused), {}, head, DEPTH).state is IntentState.WAITING
    assert judge(intent(refused, cancel), {}, head, DEPTH).state is IntentState.WAITING
    assert judge(intent(refused, taken), {}, head, DEPTH).state is IntentState.PENDING


def test_is_retired_when_unwanted_or_after_its_last_second() -> None:
    bounded = replace(intent(), not_after=UnixTime(100))
    assert not is_retired(bounded, UnixTime(100))
    assert is_retired(bounded, UnixTime(101))
    assert not is_retired(intent(), UnixTime(101))
    assert is_retired(replace(intent(), wanted=False), UnixTime(0))


def test_only_fills_and_locks_end_by_a_simulation() -> None:
    assert {action for action in Action if may_be_refused(action.value)} == {Action.FILL, Action.LOCK}


def test_urgent_ones_come_first_and_may_use_twice_the_room() -> None:
    waiting = [intent(number=1), intent(number=2), intent(number=3, urgency=0), intent(number=4, urgency=1)]
    assert [one.id for one in choose_next(waiting, 0, 10)] == [3, 4, 1, 2]
    assert [one.id for one in choose_next(waiting, 0, 2)] == [3, 4]
    assert [one.id for one in choose_next(waiting, 3, 2)] == [3]
    assert choose_next(waiting, 4, 2) == []
