"""The parameters fixed at an escrow's birth; their hash fixes its address."""

import struct
from dataclasses import dataclass, replace

from bmn.core.errors import BadInput
from bmn.core.hashing import keccak
from bmn.core.timelocks import Timelocks, pack_timelocks, unpack_timelocks
from bmn.core.units import Address, ChainId, Hash32, Hashlock, OrderHash, TokenAmount, UnixTime, Wei
from bmn.core.words import decode_address, decode_uint, encode_uint

IMMUTABLES_SIZE = 256
COMPLEMENT_SIZE = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Immutables:
    """Parameters of one escrow, on either side.

    The contract keeps no storage: they come as calldata with every call and must hash to the same value.
    """

    order_hash: OrderHash
    """The order this escrow belongs to; equal on both sides."""
    hashlock: Hashlock
    """keccak256 of the secret; equal on both sides."""
    maker: Address
    """src: who signed the order. dst: who is paid."""
    taker: Address
    """The resolver contract of that chain."""
    token: Address
    """What is locked; zero is the native coin (dst only)."""
    amount: TokenAmount
    """How much of it."""
    safety_deposit: Wei
    """Native coin paid to whoever finishes the escrow."""
    timelocks: Timelocks
    """With the real `deployed_at`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DstComplement:
    """What the destination escrow has different from the source escrow; told only by the source event."""

    maker: Address
    """Who is paid: the order's receiver, or its maker when that is zero."""
    amount: TokenAmount
    """The taking amount of this fill."""
    token: Address
    """What the maker is paid in; zero is the native coin."""
    safety_deposit: Wei
    """Deposit of the destination escrow."""
    chain_id: ChainId
    """The destination chain."""


_WORDS = struct.Struct(">32s32s32s32s32s32s32s32s")


def encode_immutables(immutables: Immutables) -> bytes:
    """Return the eight words, 256 bytes; also the ABI encoding of the tuple.

    Raises:
        BadInput: an amount does not fit its word.
    """
    return b"".join(
        (
            immutables.order_hash,
            immutables.hashlock,
            bytes(12),
            immutables.maker,
            bytes(12),
            immutables.taker,
            bytes(12),
            immutables.token,
            encode_uint(immutables.amount),
            encode_uint(immutables.safety_deposit),
            encode_uint(pack_timelocks(immutables.timelocks)),
        )
    )


def decode_immutables(data: bytes) -> Immutables:
    """Read eight words.

    Raises:
        BadInput: not 256 bytes, or an address has bits above its 160.
    """
    if len(data) != IMMUTABLES_SIZE:
        raise BadInput("BAD_LENGTH", f"immutables have {IMMUTABLES_SIZE} bytes, got {len(data)}")
    order_hash, hashlock, maker, taker, token, amount, deposit, timelocks = _WORDS.unpack(data)
    return Immutables(
        order_hash=OrderHash(order_hash),
        hashlock=Hashlock(hashlock),
        maker=decode_address(maker),
        taker=decode_address(taker),
        token=decode_address(token),
        amount=TokenAmount(decode_uint(amount)),
        safety_deposit=Wei(decode_uint(deposit)),
        timelocks=unpack_timelocks(decode_uint(timelocks)),
    )


def hash_immutables(immutables: Immutables) -> Hash32:
    """Return keccak256 of the eight words: the CREATE2 salt of the escrow.

    Source: ImmutablesLib of the escrow contracts.
    """
    return Hash32(keccak(encode_immutables(immutables)))


def encode_complement(complement: DstComplement) -> bytes:
    """Return the five words maker, amount, token, safetyDeposit, chainId; 160 bytes."""
    return b"".join(
        (
            bytes(12),
            complement.maker,
            encode_uint(complement.amount),
            bytes(12),
            complement.token,
            encode_uint(complement.safety_deposit),
            encode_uint(complement.chain_id),
        )
    )


def decode_complement(data: bytes) -> DstComplement:
    """Read five words.

    Raises:
        BadInput: not 160 bytes, or an address has bits above its 160.
    """
    if len(data) != COMPLEMENT_SIZE:
        raise BadInput("BAD_LENGTH", f"a destination complement has {COMPLEMENT_SIZE} bytes, got {len(data)}")
    return DstComplement(
        maker=decode_address(data[:32]),
        amount=TokenAmount(decode_uint(data[32:64])),
        token=decode_address(data[64:96]),
        safety_deposit=Wei(decode_uint(data[96:128])),
        chain_id=ChainId(decode_uint(data[128:])),
    )


def dst_immutables(src: Immutables, complement: DstComplement, *, taker: Address, deployed_at: UnixTime) -> Immutables:
    """Return the immutables of the destination escrow that answers a source escrow.

    `taker` is the resolver contract on the destination chain, `deployed_at` the block time of the
    destination escrow's creation (zero before it exists: the factory writes its own block time).
    """
    return replace(
        src,
        maker=complement.maker,
        taker=taker,
        token=complement.token,
        amount=complement.amount,
        safety_deposit=complement.safety_deposit,
        timelocks=src.timelocks.deployed(deployed_at),
    )
