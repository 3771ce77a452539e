import pytest

from bmn.core.errors import BadInput
from bmn.core.extension import Extension, check_salt, decode_extension, encode_extension, salt_for
from bmn.core.hashing import keccak
from bmn.core.order import Salt


def test_an_extension_without_fields_is_no_bytes() -> None:
    assert encode_extension(Extension()) == b""
    assert decode_extension(b"") == Extension()


def test_the_last_field_ends_in_the_first_four_bytes() -> None:
    encoded = encode_extension(Extension(post_interaction=b"\xab" * 5))
    assert encoded == b"\0\0\0\x05" + bytes(28) + b"\xab" * 5


def test_what_follows_the_fields_is_custom_data() -> None:
    assert encode_extension(Extension(custom_data=b"\x01")) == bytes(32) + b"\x01"
    assert decode_extension(bytes(32) + b"\x01").custom_data == b"\x01"


@pytest.mark.parametrize("size", [1, 31])
def test_refuses_an_extension_shorter_than_its_head(size: int) -> None:
    with pytest.raises(BadInput, match="BAD_EXTENSION"):
        decode_extension(bytes(size))


def test_refuses_a_field_that_ends_one_byte_outside() -> None:
    head = b"\0\0\0\x05" + bytes(28)
    assert decode_extension(head + bytes(5)).post_interaction == bytes(5)
    with pytest.raises(BadInput, match="BAD_EXTENSION"):
        decode_extension(head + bytes(4))


def test_refuses_a_field_that_ends_before_it_begins() -> None:
    # Field 7 ends at 1, field 0 at 2.
    head = b"\0\0\0\x01" + bytes(24) + b"\0\0\0\x02"
    with pytest.raises(BadInput, match="BAD_EXTENSION"):
        decode_extension(head + bytes(8))


def test_the_salt_binds_160_bits_of_the_hash() -> None:
    salt = salt_for(2**96 - 1, b"extension")
    assert salt >> 160 == 2**96 - 1
    assert salt.to_bytes(32, "big")[12:] == keccak(b"extension")[12:]
    check_salt(salt, b"extension")
    with pytest.raises(BadInput, match="WRONG_EXTENSION"):
        check_salt(Salt(salt ^ 1), b"extension")


def test_the_base_of_a_salt_has_96_bits() -> None:
    with pytest.raises(BadInput, match="BAD_NUMBER"):
        salt_for(2**96, b"")
