"""ABI values by type text, for contracts we only read: `(uint256,bytes[])` and the like.

What we send and what we follow has fixed layouts of its own; this is for the calls and events of others.
Strict: only what an encoder writes is accepted (tails in order, without gaps, padding zero), so bytes -> values ->
bytes is the identity, and no offset makes us read a thing twice.

Source: Contract ABI specification of Solidity.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

from bmn.core.errors import BadInput
from bmn.core.units import Address
from bmn.core.words import WORD, check_bits, decode_address, decode_uint, encode_uint

Value: TypeAlias = "int | bool | bytes | str | Address | tuple[Value, ...]"
"""uintN is int, bytesN and bytes are bytes, tuples and arrays are tuples."""


@dataclass(frozen=True, slots=True)
class _Word:
    """One word."""

    kind: str
    """`uint`, `bytes`, `address` or `bool`."""
    size: int
    """Bits of a uint, bytes of bytesN."""


@dataclass(frozen=True, slots=True)
class _Blob:
    """Length and bytes."""

    is_text: bool


@dataclass(frozen=True, slots=True)
class _Tuple:
    """Heads, then tails."""

    parts: tuple["_Type", ...]


@dataclass(frozen=True, slots=True)
class _Array:
    """Length and items."""

    item: "_Type"


_Type: TypeAlias = _Word | _Blob | _Tuple | _Array


def encode(types: str, values: Sequence[Value]) -> bytes:
    """Return the values of a parenthesised list of types, as arguments of a call or as data of an event.

    Raises:
        BadInput: a value does not fit its type.
    """
    return _encode(_tuple_of(types), tuple(values))


def decode(types: str, data: bytes) -> tuple[Value, ...]:
    """Read what `encode` writes.

    Raises:
        BadInput: BAD_ABI: too short, too long, dirty padding, or offsets that no encoder writes.
    """
    kind = _tuple_of(types)
    try:
        value, end = _decode(kind, data, 0)
    except (BadInput, UnicodeDecodeError) as error:
        raise BadInput("BAD_ABI", f"{len(data)} bytes are no {types[:200]}") from error
    if end != len(data):
        raise BadInput("BAD_ABI", f"{len(data)} bytes are too long for {types[:200]}")
    return _items(value)


def split_types(types: str) -> tuple[str, ...]:
    """Return the members of a parenthesised list: `(a,(b,c))` -> `a`, `(b,c)`."""
    parts: list[str] = []
    depth, start = 0, 1
    for at, char in enumerate(types[1:-1], 1):
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            parts.append(types[start:at])
            start = at + 1
    return (*parts, types[start:-1]) if types != "()" else ()


@cache
def _tuple_of(types: str) -> _Tuple:
    return _Tuple(tuple(map(_parse, split_types(types))))


def _parse(text: str) -> _Type:
    if text.endswith("[]"):
        return _Array(_parse(text[:-2]))
    if text.startswith("(") and text.endswith(")"):
        return _tuple_of(text)
    if text in {"bytes", "string"}:
        return _Blob(text == "string")
    if text in {"address", "bool"}:
        return _Word(text, 0)
    found = re.fullmatch(r"(uint|bytes)([1-9][0-9]{0,2})", text)
    if found is not None:
        kind, size = found[1], int(found[2])
        if (kind == "uint" and size % 8 == 0 and size <= 256) or (kind == "bytes" and size <= WORD):
            return _Word(kind, size)
    raise BadInput("BAD_TYPE", f"{text[:200]!r} is no type of arguments that we read")


def _is_dynamic(kind: _Type) -> bool:
    match kind:
        case _Word():
            return False
        case _Blob() | _Array():
            return True
        case _Tuple(parts):
            return any(map(_is_dynamic, parts))


def _head_size(kind: _Type) -> int:
    if isinstance(kind, _Tuple) and not _is_dynamic(kind):
        return sum(map(_head_size, kind.parts))
    return WORD


def _encode(kind: _Type, value: Value) -> bytes:
    match kind:
        case _Word():
            return _encode_word(kind, value)
        case _Blob(is_text):
            if not isinstance(value, str if is_text else bytes):
                raise BadInput("BAD_VALUE", f"{type(value).__name__} is not {'text' if is_text else 'bytes'}")
            raw = value.encode() if isinstance(value, str) else bytes(value)
            return encode_uint(len(raw)) + raw + bytes(-len(raw) % WORD)
        case _Array(item):
            items = _items(value)
            return encode_uint(len(items)) + _encode(_Tuple((item,) * len(items)), items)
        case _Tuple(parts):
            items = _items(value)
            if len(items) != len(parts):
                raise BadInput("BAD_VALUE", f"{len(items)} values for {len(parts)} types")
            encoded = [_encode(part, item) for part, item in zip(parts, items, strict=True)]
            heads, tails = b"", b""
            start = sum(map(_head_size, parts))
            for part, each in zip(parts, encoded, strict=True):
                if _is_dynamic(part):
                    heads += encode_uint(start + len(tails))
                    tails += each
                else:
                    heads += each
            return heads + tails


def _encode_word(kind: _Word, value: Value) -> bytes:
    match kind.kind, value:
        case "bool", bool():
            return encode_uint(value)
        case "uint", int() if not isinstance(value, bool):
            check_bits("value", value, kind.size)
            return encode_uint(value)
        case "address", Address():
            return bytes(12) + value
        case "bytes", bytes() if len(value) == kind.size:
            return bytes(value).ljust(WORD, b"\0")
    raise BadInput("BAD_VALUE", f"{type(value).__name__} is not {kind.kind}{kind.size or ''}")


def _items(value: Value) -> tuple[Value, ...]:
    if not isinstance(value, tuple):
        raise BadInput("BAD_VALUE", f"{type(value).__name__} is no tuple")
    return value


def _decode(kind: _Type, data: bytes, at: int) -> tuple[Value, int]:
    """Return the value that begins at `at`, and where it ends."""
    match kind:
        case _Word():
            return _decode_word(kind, _word(data, at)), at + WORD
        case _Tuple(parts):
            return _decode_tuple(parts, data, at)
        case _Blob(is_text):
            start, length = at + WORD, decode_uint(_word(data, at))
            end = start + length + -length % WORD
            if end > len(data) or any(data[start + length : end]):
                raise BadInput("BAD_ABI", "bytes that are cut short or not padded with zeros")
            raw = data[start : start + length]
            return (raw.decode() if is_text else raw), end
        case _Array(item):
            count = decode_uint(_word(data, at))
            # An item has one word at least: more items than words is a lie, not a reason to allocate.
            if count > len(data) // WORD:
                raise BadInput("BAD_ABI", "more items than words")
            return _decode_tuple((item,) * count, data, at + WORD)


def _decode_tuple(parts: tuple[_Type, ...], data: bytes, start: int) -> tuple[tuple[Value, ...], int]:
    values: list[Value] = []
    head, tail = start, start + sum(map(_head_size, parts))
    for part in parts:
        if _is_dynamic(part):
            if decode_uint(_word(data, head)) != tail - start:
                raise BadInput("BAD_ABI", "an offset that no encoder writes")
            value, tail = _decode(part, data, tail)
        else:
            value, _ = _decode(part, data, head)
        values.append(value)
        head += _head_size(part)
    return tuple(values), tail


def _word(data: bytes, at: int) -> bytes:
    word = data[at : at + WORD]
    if len(word) != WORD:
        raise BadInput("BAD_ABI", "cut short")
    return word


def _decode_word(kind: _Word, word: bytes) -> Value:
    match kind.kind:
        case "uint":
            number = decode_uint(word)
            check_bits("value", number, kind.size)
            return number
        case "bool":
            number = decode_uint(word)
            check_bits("value", number, 1)
            return number == 1
        case "address":
            return decode_address(word)
        case _:
            if any(word[kind.size :]):
                raise BadInput("BAD_ABI", "bytes that are not padded with zeros")
            return word[: kind.size]
