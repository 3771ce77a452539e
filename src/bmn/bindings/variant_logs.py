"""Events of every variant's contracts, read by (variant, first topic, number of topics).

The variant is that of the emitter's factory (`bmn.contracts.registry.variant_of`): first topics alone mislead, for
variants share them and lay out the data in other ways. Reading an event makes nothing tradeable, and who emitted it
is for the caller to check, as with `escrow_logs`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeAlias

from bmn.bindings.abi import COMPLEMENT, IMMUTABLES, topic, words_of
from bmn.bindings.escrow_logs import (
    BIT_INVALIDATOR_UPDATED,
    DST_ESCROW_CREATED,
    ESCROW_CANCELLED,
    ESCROW_WITHDRAWAL,
    FUNDS_RESCUED,
    ORDER_CANCELLED,
    ORDER_FILLED,
    SRC_ESCROW_CREATED,
    TRANSFER,
    DstEscrowCreated,
    Event,
    LogLike,
    SrcEscrowCreated,
    decode_log,
)
from bmn.bindings.fee_immutables import FeeComplement, FeeImmutables, decode_fee_event
from bmn.bindings.variant_interfaces import Named, decode_event, has_event
from bmn.bindings.variant_tables import NINE_FIELD_IMMUTABLES, SIX_FIELD_COMPLEMENT
from bmn.bindings.variants import Variant
from bmn.core.errors import BadInput
from bmn.core.immutables import IMMUTABLES_SIZE, decode_complement, decode_immutables
from bmn.core.units import Address, Hashlock, OrderHash, TokenAmount
from bmn.core.words import decode_address, decode_uint


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSrcEscrowCreated:
    """BMN v1.1: as `SrcEscrowCreated`, with the escrow's address as a topic."""

    escrow: Address
    """As told; its address also follows from the immutables."""
    created: SrcEscrowCreated
    """The data, which is the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectSrcEscrowCreated:
    """BMN v2.3 and v3: somebody made a source escrow without an order. Topics: the first three; data: two words."""

    escrow: Address
    order_hash: OrderHash
    maker: Address
    taker: Address
    amount: TokenAmount


@dataclass(frozen=True, slots=True, kw_only=True)
class PostInteractionEscrowCreated:
    """BMN since v2.3: a fill made a source escrow. Topics: the first three; data: two words."""

    escrow: Address
    hashlock: Hashlock
    protocol: Address
    """Who called the factory. Until v4 anyone could."""
    taker: Address
    amount: TokenAmount


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeSrcEscrowCreated:
    """1inch v1.2 and BMN v4: a fill made a source escrow; which of the two must be known to find its address."""

    immutables: FeeImmutables
    complement: FeeComplement


VariantEvent: TypeAlias = (
    Event | NamedSrcEscrowCreated | DirectSrcEscrowCreated | PostInteractionEscrowCreated | FeeSrcEscrowCreated | Named
)
"""Creations have types; what withdraws, cancels, rescues, fills and transfers is as in ours; the rest is `Named`."""


class Unreadable(StrEnum):
    """Why a log says nothing we understand. Anyone can emit anything: this is an answer, not a failure."""

    UNKNOWN_EVENT = "unknown event"
    """No contract of the variant has such an event."""
    TOPIC_COUNT = "topic count"
    """It has, but with another number of topics."""
    BAD_DATA = "bad data"
    """Length, padding or offsets are not those of the event."""


def decode_variant_log(variant: Variant, log: LogLike) -> VariantEvent | Unreadable:
    """Read a log of the variant's factory, of its escrows, of an order protocol or of a token."""
    topics, data = tuple(log.topics), log.data
    if not topics:
        return Unreadable.UNKNOWN_EVENT
    if topics[0] in _SHARED:
        event = decode_log(log)
        if event is None:
            return Unreadable.BAD_DATA if len(topics) == _SHARED[topics[0]] else Unreadable.TOPIC_COUNT
        return event
    decode = _CREATIONS.get((variant, topics[0], len(topics)))
    try:
        named = decode(topics, data) if decode is not None else decode_event(variant, topics, data)
    except BadInput:
        return Unreadable.BAD_DATA
    if named is None:
        return Unreadable.TOPIC_COUNT if has_event(variant, topics[0]) else Unreadable.UNKNOWN_EVENT
    return named


def _src_created(_topics: Sequence[bytes], data: bytes) -> VariantEvent:
    return SrcEscrowCreated(
        immutables=decode_immutables(data[:IMMUTABLES_SIZE]), complement=decode_complement(data[IMMUTABLES_SIZE:])
    )


def _named_src_created(topics: Sequence[bytes], data: bytes) -> VariantEvent:
    created = SrcEscrowCreated(
        immutables=decode_immutables(data[:IMMUTABLES_SIZE]), complement=decode_complement(data[IMMUTABLES_SIZE:])
    )
    return NamedSrcEscrowCreated(escrow=decode_address(topics[1]), created=created)


def _direct_src_created(topics: Sequence[bytes], data: bytes) -> VariantEvent:
    taker, amount = words_of(data, 2)
    return DirectSrcEscrowCreated(
        escrow=decode_address(topics[1]),
        order_hash=OrderHash(topics[2]),
        maker=decode_address(topics[3]),
        taker=decode_address(taker),
        amount=TokenAmount(decode_uint(amount)),
    )


def _post_interaction_created(topics: Sequence[bytes], data: bytes) -> VariantEvent:
    taker, amount = words_of(data, 2)
    return PostInteractionEscrowCreated(
        escrow=decode_address(topics[1]),
        hashlock=Hashlock(topics[2]),
        protocol=decode_address(topics[3]),
        taker=decode_address(taker),
        amount=TokenAmount(decode_uint(amount)),
    )


def _fee_src_created(_topics: Sequence[bytes], data: bytes) -> VariantEvent:
    immutables, complement = decode_fee_event(data)
    return FeeSrcEscrowCreated(immutables=immutables, complement=complement)


def _dst_created(topics: Sequence[bytes], data: bytes) -> VariantEvent:
    """All shapes: escrow, hashlock and taker, the first of them as topics."""
    words = (*topics[1:], *words_of(data, 4 - len(topics)))
    return DstEscrowCreated(
        escrow=decode_address(words[0]), hashlock=Hashlock(words[1]), taker=decode_address(words[2])
    )


_NAMED_SRC: Final = topic(f"SrcEscrowCreated(address,{IMMUTABLES},{COMPLEMENT})")
_DIRECT_SRC: Final = topic("SrcEscrowCreated(address,bytes32,address,address,uint256)")
_POST_INTERACTION: Final = topic("PostInteractionEscrowCreated(address,bytes32,address,address,uint256)")
_FEE_SRC: Final = topic(f"SrcEscrowCreated({NINE_FIELD_IMMUTABLES},{SIX_FIELD_COMPLEMENT})")
_INDEXED_DST: Final = topic("DstEscrowCreated(address,bytes32,address)")

_Decoder: TypeAlias = Callable[[tuple[bytes, ...], bytes], VariantEvent]
_CREATIONS: Final[Mapping[tuple[Variant, bytes, int], _Decoder]] = MappingProxyType(
    {
        (Variant.ONE_INCH_V1, SRC_ESCROW_CREATED, 1): _src_created,
        (Variant.ONE_INCH_V1, DST_ESCROW_CREATED, 1): _dst_created,
        (Variant.BMN_V1_0, SRC_ESCROW_CREATED, 1): _src_created,
        (Variant.BMN_V1_0, DST_ESCROW_CREATED, 1): _dst_created,
        (Variant.BMN_V1_1, _NAMED_SRC, 2): _named_src_created,
        (Variant.BMN_V1_1, DST_ESCROW_CREATED, 3): _dst_created,
        (Variant.BMN_V2_3, _DIRECT_SRC, 4): _direct_src_created,
        (Variant.BMN_V2_3, _POST_INTERACTION, 4): _post_interaction_created,
        (Variant.BMN_V2_3, _INDEXED_DST, 4): _dst_created,
        (Variant.BMN_V3_0, _DIRECT_SRC, 4): _direct_src_created,
        (Variant.BMN_V3_0, _POST_INTERACTION, 4): _post_interaction_created,
        (Variant.BMN_V3_0, _INDEXED_DST, 4): _dst_created,
        (Variant.BMN_V4_0, _FEE_SRC, 1): _fee_src_created,
        (Variant.BMN_V4_0, _POST_INTERACTION, 4): _post_interaction_created,
        (Variant.BMN_V4_0, _INDEXED_DST, 4): _dst_created,
        (Variant.ONE_INCH_V1_2, _FEE_SRC, 1): _fee_src_created,
        (Variant.ONE_INCH_V1_2, DST_ESCROW_CREATED, 1): _dst_created,
    }
)

_SHARED: Final[Mapping[bytes, int]] = MappingProxyType(
    {
        ESCROW_WITHDRAWAL: 1,
        ESCROW_CANCELLED: 1,
        FUNDS_RESCUED: 1,
        ORDER_FILLED: 1,
        ORDER_CANCELLED: 1,
        BIT_INVALIDATOR_UPDATED: 2,
        TRANSFER: 3,
    }
)
"""Events that all variants have in one shape, and their number of topics."""
