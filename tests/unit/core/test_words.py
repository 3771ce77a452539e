import pytest
from tests.support.swap_values import IMMUTABLES, MAKER

from bmn.core.errors import BadInput
from bmn.core.immutables import decode_complement, decode_immutables, encode_immutables
from bmn.core.order import decode_order
from bmn.core.words import check_bits, decode_address, encode_address, encode_uint


@pytest.mark.parametrize("value", [-1, 2**256])
def test_refuses_numbers_beyond_a_word(value: int) -> None:
    with pytest.raises(BadInput, match="BAD_NUMBER"):
        encode_uint(value)


def test_the_largest_number_fills_the_word() -> None:
    assert encode_uint(2**256 - 1) == b"\xff" * 32


def test_refuses_an_address_with_bits_above_it() -> None:
    assert decode_address(encode_address(MAKER)) == MAKER
    for word in (b"\0" * 11 + b"\1" + MAKER, encode_address(MAKER)[1:], encode_address(MAKER) + b"\0"):
        with pytest.raises(BadInput, match="BAD_ADDRESS_WORD"):
            decode_address(word)


def test_bits_are_counted_exactly() -> None:
    check_bits("x", 255, 8)
    for value in (256, -1):
        with pytest.raises(BadInput, match="x = "):
            check_bits("x", value, 8)


@pytest.mark.parametrize("size", [0, 255, 257])
def test_refuses_immutables_and_orders_of_another_length(size: int) -> None:
    for decode in (decode_immutables, decode_order):
        with pytest.raises(BadInput, match="BAD_LENGTH"):
            decode(bytes(size))


@pytest.mark.parametrize("size", [159, 161])
def test_refuses_complements_of_another_length(size: int) -> None:
    with pytest.raises(BadInput, match="BAD_LENGTH"):
        decode_complement(bytes(size))


@pytest.mark.parametrize("word", [2, 3, 4])
def test_refuses_immutables_with_dirty_addresses(word: int) -> None:
    data = bytearray(encode_immutables(IMMUTABLES))
    data[32 * word] = 1
    with pytest.raises(BadInput, match="BAD_ADDRESS_WORD"):
        decode_immutables(bytes(data))
