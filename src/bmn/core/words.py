"""ABI words: 32 bytes, big-endian, the cells of every encoding of the protocol."""

from bmn.core.errors import BadInput
from bmn.core.units import UINT256_MAX, Address

WORD = 32


def encode_uint(value: int) -> bytes:
    """Return `value` as one word.

    Raises:
        BadInput: `value` is negative or above 256 bits.
    """
    if not 0 <= value <= UINT256_MAX:
        raise BadInput("BAD_NUMBER", f"{value} does not fit an unsigned 256-bit word")
    return value.to_bytes(WORD, "big")


def encode_address(address: Address) -> bytes:
    """Return `address` right-aligned in one word."""
    return bytes(12) + address


def decode_address(word: bytes) -> Address:
    """Read a right-aligned address.

    Raises:
        BadInput: not one word, or bits above the address are set.
    """
    if len(word) != WORD or any(word[:12]):
        raise BadInput("BAD_ADDRESS_WORD", f"0x{word.hex()} is not an address in a 32-byte word")
    return Address(word[12:])


def decode_uint(word: bytes) -> int:
    """Read an unsigned integer of any width."""
    return int.from_bytes(word, "big")


def check_bits(name: str, value: int, bits: int) -> None:
    """Refuse a value that does not fit its field.

    Raises:
        BadInput: `value` is negative or has more than `bits` bits.
    """
    if not 0 <= value < 1 << bits:
        raise BadInput("BAD_NUMBER", f"{name} = {value} does not fit {bits} bits")
