"""Hypothesis strategies for values of core."""

from collections.abc import Callable
from typing import TypeVar

from hypothesis import strategies as st

from bmn.core.immutables import DstComplement, Immutables
from bmn.core.timelocks import Timelocks, unpack_timelocks
from bmn.core.units import Address, ChainId, Hashlock, OrderHash, TokenAmount, Wei

T = TypeVar("T")


def unsigned(bits: int, unit: Callable[[int], T]) -> st.SearchStrategy[T]:
    """Every number of `bits` bits, its edges often."""
    edges = st.sampled_from([0, 1, 2**bits - 1])
    return (edges | st.integers(0, 2**bits - 1)).map(unit)


HASHES = st.binary(min_size=32, max_size=32)
ADDRESSES = st.binary(min_size=20, max_size=20).map(Address)
TIMELOCKS: st.SearchStrategy[Timelocks] = unsigned(256, unpack_timelocks)
IMMUTABLES = st.builds(
    Immutables,
    order_hash=HASHES.map(OrderHash),
    hashlock=HASHES.map(Hashlock),
    maker=ADDRESSES,
    taker=ADDRESSES,
    token=ADDRESSES,
    amount=unsigned(256, TokenAmount),
    safety_deposit=unsigned(256, Wei),
    timelocks=TIMELOCKS,
)
COMPLEMENTS = st.builds(
    DstComplement,
    maker=ADDRESSES,
    amount=unsigned(256, TokenAmount),
    token=ADDRESSES,
    safety_deposit=unsigned(256, Wei),
    chain_id=unsigned(256, ChainId),
)
