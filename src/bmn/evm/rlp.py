"""RLP encoding, as far as a transaction needs it. Source: Ethereum Yellow Paper, appendix B."""

from collections.abc import Sequence
from typing import TypeAlias

Item: TypeAlias = "int | bytes | Sequence[Item]"
"""Unsigned integers are their shortest big-endian bytes; zero is empty."""


def encode_rlp(item: Item) -> bytes:
    """Return the RLP of bytes, an unsigned integer or a (nested) list of them."""
    if isinstance(item, int):
        item = item.to_bytes((item.bit_length() + 7) // 8, "big")
    if isinstance(item, bytes):
        if len(item) == 1 and item[0] < 0x80:
            return bytes(item)
        return _prefix(len(item), 0x80) + item
    payload = b"".join([encode_rlp(part) for part in item])
    return _prefix(len(payload), 0xC0) + payload


def _prefix(size: int, offset: int) -> bytes:
    if size < 56:
        return bytes((offset + size,))
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((offset + 55 + len(length),)) + length
