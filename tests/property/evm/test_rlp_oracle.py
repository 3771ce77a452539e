import rlp  # type: ignore[import-untyped]  # an oracle without types
from hypothesis import given
from hypothesis import strategies as st

from bmn.evm.rlp import Item, encode_rlp

ITEMS: st.SearchStrategy[Item] = st.recursive(
    st.binary(max_size=300) | st.integers(0, 2**256 - 1), lambda children: st.lists(children, max_size=60)
)


@given(ITEMS)
def test_encoding_is_the_oracles(item: Item) -> None:
    assert encode_rlp(item) == rlp.encode(item)


@given(st.sampled_from([0, 1, 55, 56, 255, 256, 65_535, 65_536]), st.sampled_from([0, 0x7F, 0x80, 0xFF]))
def test_lengths_around_each_boundary_are_the_oracles(size: int, filler: int) -> None:
    item = bytes((filler,)) * size
    assert encode_rlp(item) == rlp.encode(item)
    assert encode_rlp([item, item]) == rlp.encode([item, item])
