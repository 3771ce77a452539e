from dataclasses import replace

import pytest
from tests.support.swap_values import MAKER, TAKER

from bmn.core.errors import BadInput
from bmn.core.order import MakerTraitsWord
from bmn.core.traits import (
    MakerTraits,
    TakerArgs,
    TakerTraits,
    decode_taker_args,
    encode_taker_args,
    low_80_bits,
    pack_taker_traits,
    taker_traits_for,
    unpack_maker_traits,
    unpack_taker_traits,
)
from bmn.core.units import TokenAmount, UnixTime


@pytest.mark.parametrize("bit", [253, 246, 200])
def test_refuses_maker_bits_without_a_meaning(bit: int) -> None:
    with pytest.raises(BadInput, match="BAD_MAKER_TRAITS"):
        unpack_maker_traits(MakerTraitsWord(1 << bit))


@pytest.mark.parametrize("bit", [250, 248, 199, 185])
def test_refuses_taker_bits_without_a_meaning(bit: int) -> None:
    with pytest.raises(BadInput, match="BAD_TAKER_TRAITS"):
        unpack_taker_traits(1 << bit)


@pytest.mark.parametrize(("field", "bits"), [("series", 40), ("nonce", 40), ("expiration", 40), ("allowed_sender", 80)])
def test_refuses_maker_numbers_that_would_spill_into_other_fields(field: str, bits: int) -> None:
    replace(MakerTraits(), **{field: 2**bits - 1})
    with pytest.raises(BadInput, match=field):
        replace(MakerTraits(), **{field: 2**bits})


@pytest.mark.parametrize(("field", "bits"), [("extension_length", 24), ("interaction_length", 24), ("threshold", 185)])
def test_refuses_taker_numbers_that_would_spill_into_other_fields(field: str, bits: int) -> None:
    replace(TakerTraits(), **{field: 2**bits - 1})
    with pytest.raises(BadInput, match=field):
        replace(TakerTraits(), **{field: 2**bits})


def test_the_expiration_second_is_still_valid() -> None:
    traits = MakerTraits(expiration=UnixTime(300))
    assert [traits.is_expired(UnixTime(at)) for at in (299, 300, 301)] == [False, False, True]
    assert not MakerTraits().is_expired(UnixTime(2**40))


@pytest.mark.parametrize(
    ("no_partial", "multiple", "expected"),
    [(True, False, True), (True, True, True), (False, False, True), (False, True, False)],
)
def test_only_orders_in_parts_count_by_remaining_amount(*, no_partial: bool, multiple: bool, expected: bool) -> None:
    traits = MakerTraits(no_partial_fills=no_partial, allow_multiple_fills=multiple)
    assert traits.uses_bit_invalidator is expected


def test_a_nonce_is_a_bit_in_a_slot_of_256() -> None:
    for nonce, slot, mask in ((255, 0, 1 << 255), (256, 1, 1)):
        traits = MakerTraits(nonce=nonce)
        assert (traits.nonce_slot, traits.nonce_mask) == (slot, mask)


def test_a_private_order_knows_80_bits_of_its_sender() -> None:
    private = MakerTraits(allowed_sender=low_80_bits(TAKER))
    assert private.allows_sender(TAKER)
    assert not private.allows_sender(MAKER)
    assert MakerTraits().allows_sender(MAKER)


def test_taker_args_come_apart_by_the_lengths_in_the_traits() -> None:
    args = TakerArgs(target=TAKER, extension=b"ext", interaction=b"int")
    traits = taker_traits_for(args, is_making_amount=True, threshold=TokenAmount(7))
    assert encode_taker_args(args) == TAKER + b"extint"
    assert decode_taker_args(traits, encode_taker_args(args)) == args
    assert unpack_taker_traits(pack_taker_traits(traits)) == traits


@pytest.mark.parametrize("wrong", [b"\0", b""])
def test_refuses_taker_args_of_another_length(wrong: bytes) -> None:
    args = TakerArgs(extension=b"ext")
    traits = taker_traits_for(args, is_making_amount=True)
    data = encode_taker_args(args)
    with pytest.raises(BadInput, match="BAD_LENGTH"):
        decode_taker_args(traits, data + wrong if wrong else data[:-1])
