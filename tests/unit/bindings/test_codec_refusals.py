import pytest

from bmn.bindings.codec import Value, decode, encode
from bmn.core.errors import BadInput
from bmn.core.units import Address
from bmn.core.words import encode_uint

ONE = encode_uint(1)


@pytest.mark.parametrize(
    ("types", "data"),
    [
        ("(uint256)", b""),
        ("(uint256)", ONE[:-1]),
        ("(uint256)", ONE + b"\0"),
        ("()", ONE),
        ("(uint8)", encode_uint(256)),
        ("(bool)", encode_uint(2)),
        ("(address)", encode_uint(1 << 160)),
        ("(bytes4)", b"abcde".ljust(32, b"\0")),
        ("(bytes)", encode_uint(32) + encode_uint(3) + b"abc"),
        ("(bytes)", encode_uint(32) + encode_uint(3) + b"abcd".ljust(32, b"\0")),
        ("(bytes)", encode_uint(64) + bytes(32) + encode_uint(0)),
        ("(bytes)", encode_uint(2**256 - 1) + encode_uint(0)),
        ("(bytes,bytes)", encode_uint(64) + encode_uint(64) + encode_uint(0)),
        ("(string)", encode_uint(32) + encode_uint(1) + b"\xff".ljust(32, b"\0")),
        ("(uint256[])", encode_uint(32) + encode_uint(2) + ONE),
        ("(uint256[])", encode_uint(32) + encode_uint(2**255)),
    ],
)
def test_refuses_what_no_encoder_writes(types: str, data: bytes) -> None:
    with pytest.raises(BadInput, match="BAD_ABI"):
        decode(types, data)


@pytest.mark.parametrize(
    ("types", "values"),
    [
        ("(uint8)", [256]),
        ("(uint256)", [-1]),
        ("(uint256)", [True]),
        ("(bool)", [1]),
        ("(address)", [bytes(20)]),
        ("(bytes4)", [b"abc"]),
        ("(bytes)", ["abc"]),
        ("(string)", [b"abc"]),
        ("(uint256,uint256)", [1]),
        ("((uint256))", [1]),
        ("(uint256[])", [1]),
    ],
)
def test_refuses_values_of_another_type(types: str, values: list[Value]) -> None:
    with pytest.raises(BadInput):
        encode(types, values)


@pytest.mark.parametrize(
    "types", ["(uint7)", "(uint264)", "(bytes33)", "(int256)", "(uint256[2])", "(function)", "(a,)"]
)
def test_refuses_types_that_it_does_not_know(types: str) -> None:
    with pytest.raises(BadInput, match="BAD_TYPE"):
        decode(types, b"")


def test_an_address_reads_as_one() -> None:
    address = Address(b"\x0a" * 20)
    assert decode("(address)", encode("(address)", [address])) == (address,)
    assert isinstance(decode("(address)", bytes(32))[0], Address)
