"""Events of the escrows, the factory, the limit order protocol, our Resolver and ERC-20 tokens.

Decoding looks at topics and data only. Who emitted a log is for the caller to check: anyone can emit these shapes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from bmn.bindings.abi import COMPLEMENT, IMMUTABLES, topic
from bmn.core.errors import BadInput
from bmn.core.immutables import (
    IMMUTABLES_SIZE,
    DstComplement,
    Immutables,
    decode_complement,
    decode_immutables,
)
from bmn.core.units import Address, Hashlock, OrderHash, Secret, TokenAmount
from bmn.core.words import decode_address, decode_uint


class LogLike(Protocol):
    """A log as far as decoding goes; `bmn.evm.types.Log` is one."""

    @property
    def address(self) -> Address:
        """Who emitted it."""
        ...

    @property
    def topics(self) -> Sequence[bytes]:
        """At most four words."""
        ...

    @property
    def data(self) -> bytes:
        """ABI words."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RawLog:
    """A log without its place on the chain."""

    address: Address
    """Who emitted it."""
    topics: tuple[bytes, ...]
    """At most four words."""
    data: bytes
    """ABI words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SrcEscrowCreated:
    """Factory: a fill made a source escrow. Data: immutables (8 words), complement (5 words)."""

    immutables: Immutables
    """Of the source escrow; its address follows from them."""
    complement: DstComplement
    """What the destination escrow has different."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DstEscrowCreated:
    """Factory: somebody made a destination escrow. Data: three words. Names of anyone's choosing."""

    escrow: Address
    """The new clone."""
    hashlock: Hashlock
    """The swap it says it belongs to."""
    taker: Address
    """The taker its creator wrote."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EscrowWithdrawal:
    """Escrow: paid out with the secret, public from here on. Data: one word."""

    secret: Secret
    """As passed in; the escrow checked it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EscrowCancelled:
    """Escrow: given back. No data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FundsRescued:
    """Escrow: swept by the taker after the rescue delay. Data: two words."""

    token: Address
    """Zero is the native coin."""
    amount: TokenAmount
    """How much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFilled:
    """Limit order protocol: an order was filled. Data: two words."""

    order_hash: OrderHash
    """Which."""
    remaining: TokenAmount
    """Making amount left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCancelled:
    """Limit order protocol: the maker cancelled by order hash. Data: one word."""

    order_hash: OrderHash
    """Which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BitInvalidatorUpdated:
    """Limit order protocol: the maker cancelled nonces. Topic: maker; data: two words. Fills do not say this."""

    maker: Address
    """Whose."""
    slot: int
    """`nonce >> 8`."""
    mask: int
    """All spent bits of the slot after this change, those of filled orders included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DstLocked:
    """Resolver: we made a destination escrow. Topics: hashlock, escrow; data: immutables (8 words)."""

    hashlock: Hashlock
    """The swap."""
    escrow: Address
    """The destination escrow."""
    immutables: Immutables
    """Of it, with the real `deployed_at`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """ERC-20: tokens moved. Topics: from, to; data: one word."""

    sender: Address
    """Zero when minted."""
    receiver: Address
    """Zero when burnt."""
    amount: TokenAmount
    """As the token says."""


Event: TypeAlias = (
    SrcEscrowCreated
    | DstEscrowCreated
    | EscrowWithdrawal
    | EscrowCancelled
    | FundsRescued
    | OrderFilled
    | OrderCancelled
    | BitInvalidatorUpdated
    | DstLocked
    | Transfer
)

SRC_ESCROW_CREATED = topic(f"SrcEscrowCreated({IMMUTABLES},{COMPLEMENT})")
DST_ESCROW_CREATED = topic("DstEscrowCreated(address,bytes32,uint256)")
ESCROW_WITHDRAWAL = topic("EscrowWithdrawal(bytes32)")
ESCROW_CANCELLED = topic("EscrowCancelled()")
FUNDS_RESCUED = topic("FundsRescued(address,uint256)")
ORDER_FILLED = topic("OrderFilled(bytes32,uint256)")
ORDER_CANCELLED = topic("OrderCancelled(bytes32)")
BIT_INVALIDATOR_UPDATED = topic("BitInvalidatorUpdated(address,uint256,uint256)")
DST_LOCKED = topic(f"DstLocked(bytes32,address,{IMMUTABLES})")
TRANSFER = topic("Transfer(address,address,uint256)")


def decode_log(log: LogLike) -> Event | None:
    """Return the event, or None when topic, number of topics, length of data or padding fit none we know."""
    topics, data = log.topics, log.data
    if not topics:
        return None
    decode = _DECODERS.get((topics[0], len(topics), len(data)))
    if decode is None:
        return None
    try:
        return decode(topics, data)
    except BadInput:
        return None


def _src_escrow_created(_topics: Sequence[bytes], data: bytes) -> Event:
    return SrcEscrowCreated(
        immutables=decode_immutables(data[:IMMUTABLES_SIZE]), complement=decode_complement(data[IMMUTABLES_SIZE:])
    )


def _dst_escrow_created(_topics: Sequence[bytes], data: bytes) -> Event:
    return DstEscrowCreated(
        escrow=decode_address(data[:32]), hashlock=Hashlock(data[32:64]), taker=decode_address(data[64:])
    )


def _escrow_withdrawal(_topics: Sequence[bytes], data: bytes) -> Event:
    return EscrowWithdrawal(secret=Secret(data))


def _escrow_cancelled(_topics: Sequence[bytes], _data: bytes) -> Event:
    return EscrowCancelled()


def _funds_rescued(_topics: Sequence[bytes], data: bytes) -> Event:
    return FundsRescued(token=decode_address(data[:32]), amount=TokenAmount(decode_uint(data[32:])))


def _order_filled(_topics: Sequence[bytes], data: bytes) -> Event:
    return OrderFilled(order_hash=OrderHash(data[:32]), remaining=TokenAmount(decode_uint(data[32:])))


def _order_cancelled(_topics: Sequence[bytes], data: bytes) -> Event:
    return OrderCancelled(order_hash=OrderHash(data))


def _bit_invalidator_updated(topics: Sequence[bytes], data: bytes) -> Event:
    return BitInvalidatorUpdated(
        maker=decode_address(topics[1]), slot=decode_uint(data[:32]), mask=decode_uint(data[32:])
    )


def _dst_locked(topics: Sequence[bytes], data: bytes) -> Event:
    return DstLocked(hashlock=Hashlock(topics[1]), escrow=decode_address(topics[2]), immutables=decode_immutables(data))


def _transfer(topics: Sequence[bytes], data: bytes) -> Event:
    return Transfer(
        sender=decode_address(topics[1]), receiver=decode_address(topics[2]), amount=TokenAmount(decode_uint(data))
    )


# Key: first topic, number of topics, bytes of data. Other factories emit the same first topic in another shape.
_DECODERS: dict[tuple[bytes, int, int], Callable[[Sequence[bytes], bytes], Event]] = {
    (SRC_ESCROW_CREATED, 1, 416): _src_escrow_created,
    (DST_ESCROW_CREATED, 1, 96): _dst_escrow_created,
    (ESCROW_WITHDRAWAL, 1, 32): _escrow_withdrawal,
    (ESCROW_CANCELLED, 1, 0): _escrow_cancelled,
    (FUNDS_RESCUED, 1, 64): _funds_rescued,
    (ORDER_FILLED, 1, 64): _order_filled,
    (ORDER_CANCELLED, 1, 32): _order_cancelled,
    (BIT_INVALIDATOR_UPDATED, 2, 64): _bit_invalidator_updated,
    (DST_LOCKED, 3, 256): _dst_locked,
    (TRANSFER, 3, 32): _transfer,
}
