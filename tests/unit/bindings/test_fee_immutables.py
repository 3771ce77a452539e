import pytest
from tests.support.swap_values import FACTORY, IMMUTABLES, an_address

from bmn.bindings.fee_immutables import (
    FeeImmutables,
    Fees,
    decode_fee_immutables,
    decode_fees,
    encode_fee_immutables,
    encode_fees,
    fee_escrow_address,
    hash_fee_immutables,
)
from bmn.bindings.variants import Variant
from bmn.core.errors import BadInput
from bmn.core.immutables import Immutables, hash_immutables
from bmn.core.units import TokenAmount

FEES = Fees(
    resolver_fee=TokenAmount(1),
    integrator_fee=TokenAmount(2),
    resolver_recipient=an_address(21),
    integrator_recipient=an_address(22),
)
PLAIN = FeeImmutables(**{name: getattr(IMMUTABLES, name) for name in Immutables.__slots__}, parameters=b"")


def test_each_variant_hashes_in_its_own_way() -> None:
    hashes = {
        hash_immutables(IMMUTABLES),
        hash_fee_immutables(Variant.ONE_INCH_V1_2, PLAIN),
        hash_fee_immutables(Variant.BMN_V4_0, PLAIN),
    }
    assert len(hashes) == 3


@pytest.mark.parametrize("variant", sorted(set(Variant) - {Variant.ONE_INCH_V1_2, Variant.BMN_V4_0}))
def test_no_other_variant_hashes_them(variant: Variant) -> None:
    with pytest.raises(BadInput, match="NO_FEE_IMMUTABLES"):
        hash_fee_immutables(variant, PLAIN)
    with pytest.raises(BadInput, match="NO_FEE_IMMUTABLES"):
        fee_escrow_address(variant, factory=FACTORY, implementation=an_address(30), immutables=PLAIN)


def test_they_are_no_immutables_of_ours() -> None:
    assert not issubclass(FeeImmutables, Immutables)


@pytest.mark.parametrize("size", [1, 32, 64, 127, 129, 160])
def test_parameters_of_another_size_are_refused(size: int) -> None:
    """With them an escrow is made, and can be cancelled but never be paid out from."""
    with pytest.raises(BadInput, match="BAD_FEES"):
        decode_fees(encode_fees(FEES).ljust(size, b"\0")[:size])


def test_a_recipient_that_is_no_address_is_refused() -> None:
    parameters = bytearray(encode_fees(FEES))
    parameters[64] = 1
    with pytest.raises(BadInput, match="BAD_FEES"):
        decode_fees(bytes(parameters))


def test_no_parameters_are_no_fees() -> None:
    assert decode_fees(b"") is None
    assert encode_fees(None) == b""


@pytest.mark.parametrize("cut", [0, 31, 32, 287, 320, 351])
def test_immutables_cut_short_are_refused(cut: int) -> None:
    whole = encode_fee_immutables(PLAIN)
    assert decode_fee_immutables(whole) == PLAIN
    with pytest.raises(BadInput):
        decode_fee_immutables(whole[:cut])
    with pytest.raises(BadInput):
        decode_fee_immutables(whole + b"\0")
