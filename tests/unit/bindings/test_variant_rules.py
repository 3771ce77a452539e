"""What a factory of another release would do; both sides of each of its boundaries."""

from dataclasses import replace

import pytest
from tests.support.swap_values import FACTORY, IMMUTABLES, an_address

from bmn.bindings.variants import (
    RULES,
    DstEscrow,
    Reverts,
    Variant,
    evaluate_dst_cancellation,
    evaluate_dst_creation,
    evaluate_dst_withdrawal,
    evaluate_trust,
)
from bmn.core.immutables import Immutables
from bmn.core.timelocks import Stage
from bmn.core.units import NATIVE, UnixTime, Wei

NOW = UnixTime(1_800_000_500)
DEPOSIT = IMMUTABLES.safety_deposit
DST_CANCELLATION = UnixTime(NOW + IMMUTABLES.timelocks.offset(Stage.DST_CANCELLATION))


def _create(
    variant: Variant,
    immutables: Immutables = IMMUTABLES,
    *,
    value: Wei = DEPOSIT,
    src_cancellation: UnixTime = DST_CANCELLATION,
) -> DstEscrow | Reverts:
    return evaluate_dst_creation(RULES[variant], immutables, value=value, src_cancellation=src_cancellation, now=NOW)


@pytest.mark.parametrize(
    ("variant", "tolerance"),
    [
        (Variant.ONE_INCH_V1, 0),
        (Variant.ONE_INCH_V1_2, 0),
        (Variant.BMN_V1_0, 300),
        (Variant.BMN_V1_1, 300),
    ],
)
def test_the_destination_may_be_cancelled_later_only_within_the_tolerance(variant: Variant, tolerance: int) -> None:
    edge = UnixTime(DST_CANCELLATION - tolerance)
    assert isinstance(_create(variant, src_cancellation=edge), DstEscrow)
    assert _create(variant, src_cancellation=UnixTime(edge - 1)) == Reverts("InvalidCreationTime()")


@pytest.mark.parametrize("variant", [Variant.BMN_V2_3, Variant.BMN_V3_0, Variant.BMN_V4_0])
def test_simplified_factories_compare_no_times(variant: Variant) -> None:
    assert isinstance(_create(variant, src_cancellation=UnixTime(0)), DstEscrow)


@pytest.mark.parametrize("value", [DEPOSIT - 1, DEPOSIT + 1, 0])
def test_a_careful_factory_wants_the_deposit_exactly(value: int) -> None:
    assert _create(Variant.BMN_V1_0, value=Wei(value)) == Reverts("InsufficientEscrowBalance()")


def test_an_escrow_without_its_deposit_can_not_be_paid_out() -> None:
    short, exact = _create(Variant.BMN_V2_3, value=Wei(DEPOSIT - 1)), _create(Variant.BMN_V2_3)
    assert isinstance(short, DstEscrow)
    assert isinstance(exact, DstEscrow)
    assert evaluate_dst_withdrawal(short) == Reverts("NativeTokenSendingFailure()")
    assert evaluate_dst_withdrawal(exact) is None


def test_a_native_amount_is_paid_with_the_deposit() -> None:
    native = replace(IMMUTABLES, token=NATIVE)
    full = Wei(DEPOSIT + native.amount)
    assert isinstance(_create(Variant.ONE_INCH_V1, native, value=full), DstEscrow)
    assert _create(Variant.ONE_INCH_V1, native, value=Wei(full - 1)) == Reverts("InsufficientEscrowBalance()")


def test_who_believes_the_creators_time_can_be_cancelled_at_once() -> None:
    early = replace(IMMUTABLES, timelocks=IMMUTABLES.timelocks.deployed(UnixTime(1000)))
    believed, written = _create(Variant.BMN_V3_0, early), _create(Variant.ONE_INCH_V1, early)
    assert isinstance(believed, DstEscrow)
    assert isinstance(written, DstEscrow)
    assert evaluate_dst_cancellation(believed, NOW) is None
    assert evaluate_dst_cancellation(written, UnixTime(DST_CANCELLATION - 1)) == Reverts("InvalidTime()")
    assert evaluate_dst_cancellation(written, DST_CANCELLATION) is None


def test_only_the_factory_that_the_implementation_trusts_makes_usable_escrows() -> None:
    implementation, proxy = an_address(30), an_address(31)
    ours = evaluate_trust(factory=FACTORY, trusted=FACTORY, implementation=implementation, immutables=IMMUTABLES)
    assert ours is None
    bug = evaluate_trust(factory=FACTORY, trusted=proxy, implementation=implementation, immutables=IMMUTABLES)
    assert bug == Reverts("InvalidImmutables()")


def test_every_factory_has_rules() -> None:
    assert set(RULES) == set(Variant) - {Variant.BMN_ORDER_PROTOCOL_V1}
