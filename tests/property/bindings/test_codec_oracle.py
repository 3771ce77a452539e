"""eth-abi, an independent encoder, agrees with the codec, which reads nothing that an encoder does not write."""

from typing import TypeAlias

from eth_abi.abi import encode as abi_encode
from hypothesis import given
from hypothesis import strategies as st
from tests.support.strategies import ADDRESSES, unsigned

from bmn.bindings.codec import Value, decode, encode, split_types
from bmn.core.errors import BadInput
from bmn.core.units import Address

Typed: TypeAlias = tuple[str, st.SearchStrategy[Value]]

_WORDS: list[Typed] = [
    ("uint256", unsigned(256, int)),
    ("uint96", unsigned(96, int)),
    ("uint8", unsigned(8, int)),
    ("bool", st.booleans()),
    ("address", ADDRESSES),
    ("bytes32", st.binary(min_size=32, max_size=32)),
    ("bytes4", st.binary(min_size=4, max_size=4)),
    ("bytes", st.binary(max_size=70)),
    ("string", st.text(max_size=30)),
]


def _of_arrays(inner: st.SearchStrategy[Typed]) -> st.SearchStrategy[Typed]:
    return inner.map(lambda item: (f"{item[0]}[]", st.lists(item[1], max_size=3).map(tuple)))


def _of_tuples(inner: st.SearchStrategy[Typed]) -> st.SearchStrategy[Typed]:
    return st.lists(inner, min_size=1, max_size=3).map(
        lambda parts: (f"({','.join(part[0] for part in parts)})", st.tuples(*(part[1] for part in parts)))
    )


_TYPES = st.recursive(st.sampled_from(_WORDS), lambda inner: _of_arrays(inner) | _of_tuples(inner), max_leaves=6)


@st.composite
def _arguments(draw: st.DrawFn) -> tuple[str, tuple[Value, ...]]:
    parts = draw(st.lists(_TYPES, max_size=4))
    return f"({','.join(part[0] for part in parts)})", tuple(draw(part[1]) for part in parts)


def _for_oracle(value: Value) -> object:
    if isinstance(value, Address):
        return str(value)
    return tuple(map(_for_oracle, value)) if isinstance(value, tuple) else value


@given(_arguments())
def test_bytes_are_those_of_the_standard_and_read_back(arguments: tuple[str, tuple[Value, ...]]) -> None:
    types, values = arguments
    data = abi_encode(split_types(types), [_for_oracle(value) for value in values])
    assert encode(types, values) == data
    assert decode(types, data) == values


@given(_arguments(), st.data())
def test_what_is_read_from_changed_bytes_is_written_as_the_same_bytes(
    arguments: tuple[str, tuple[Value, ...]], data: st.DataObject
) -> None:
    types, values = arguments
    raw = bytearray(encode(types, values))
    if raw:
        raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    _reads_only_what_it_writes(types, bytes(raw))


@given(_arguments(), st.binary(max_size=400), st.integers(0, 400))
def test_no_bytes_break_it(arguments: tuple[str, tuple[Value, ...]], noise: bytes, cut: int) -> None:
    types, values = arguments
    _reads_only_what_it_writes(types, noise)
    _reads_only_what_it_writes(types, encode(types, values)[:cut] + noise)


def _reads_only_what_it_writes(types: str, data: bytes) -> None:
    try:
        values = decode(types, data)
    except BadInput:
        return
    assert encode(types, values) == data
