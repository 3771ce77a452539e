from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmn.core.units import BlockHash, BlockNumber, TxHash, UnixTime, Wei
from bmn.evm.types import Fees, Head
from bmn.store.txs import Attempt
from bmn.txmgr.fees import FeePolicy, bumped_fees, first_fees, is_overdue

POLICY = FeePolicy(max_fee_per_gas=Wei(1_000))


def fees(most: int, tip: int) -> Fees:
    return Fees(max_fee_per_gas=Wei(most), max_priority_fee_per_gas=Wei(tip))


def test_the_first_offer_is_the_markets_up_to_the_cap() -> None:
    assert first_fees(fees(1_000, 7), POLICY) == fees(1_000, 7)
    assert first_fees(fees(1_001, 1_001), POLICY) == fees(1_000, 1_000)


def test_a_bump_raises_both_prices_by_the_policys_share_rounded_up() -> None:
    assert bumped_fees(fees(100, 10), fees(1, 1), POLICY, is_cancel=False) == fees(116, 13)


def test_a_bump_is_at_least_the_market() -> None:
    assert bumped_fees(fees(100, 10), fees(500, 50), POLICY, is_cancel=False) == fees(500, 50)


def test_there_is_no_bump_where_the_cap_leaves_no_room_for_a_whole_one() -> None:
    assert bumped_fees(fees(868, 1), fees(1, 1), POLICY, is_cancel=False) == fees(1_000, 3)
    assert bumped_fees(fees(869, 1), fees(1, 1), POLICY, is_cancel=False) is None


def test_a_self_transfer_may_go_to_twice_the_cap() -> None:
    assert bumped_fees(fees(1_000, 1), fees(1, 1), POLICY, is_cancel=True) == fees(1_151, 3)
    assert bumped_fees(fees(1_800, 1), fees(1, 1), POLICY, is_cancel=True) is None


@given(
    st.integers(0, 10**12),
    st.integers(0, 10**12),
    st.integers(0, 10**12),
    st.integers(0, 10**12),
    st.integers(1, 10**12),
    st.booleans(),
)
def test_every_bump_is_a_valid_replacement_within_the_cap(
    most: int, tip: int, market: int, market_tip: int, cap: int, is_cancel: bool
) -> None:
    last = fees(most, min(tip, most))
    bumped = bumped_fees(
        last,
        fees(market, min(market_tip, market)),
        replace(POLICY, max_fee_per_gas=Wei(cap)),
        is_cancel=is_cancel,
    )
    if bumped is None:
        return
    assert bumped.max_fee_per_gas <= cap * 2
    assert bumped.max_priority_fee_per_gas <= bumped.max_fee_per_gas
    assert bumped.max_fee_per_gas * 100 > last.max_fee_per_gas * 112
    assert bumped.max_priority_fee_per_gas * 100 > last.max_priority_fee_per_gas * 112


@pytest.mark.parametrize(
    ("age", "base_fee", "overdue"),
    [(1, 100, False), (2, 100, True), (0, 101, False), (1, 101, True), (1, 99, False)],
)
def test_is_overdue_by_age_or_as_soon_as_the_base_fee_has_outrun_it(age: int, base_fee: int, overdue: bool) -> None:
    attempt = Attempt(
        hash=TxHash(bytes(32)),
        raw=b"",
        fees=fees(100, 1),
        signed_at=BlockNumber(50),
        is_cancel=False,
        accepted=True,
        block_hash=None,
    )
    head = Head(
        number=BlockNumber(50 + age),
        hash=BlockHash(bytes(32)),
        parent_hash=BlockHash(bytes(32)),
        timestamp=UnixTime(0),
        base_fee=Wei(base_fee),
        logs_bloom=bytes(256),
    )
    assert is_overdue(attempt, head, POLICY) is overdue
