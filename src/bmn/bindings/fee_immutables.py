"""Immutables of nine fields (1inch v1.2, BMN v4): the eight of ours and a blob that may hold fees.

Only read. They are types of their own, and nothing that trades takes them: the two variants hash them differently,
and both differently from ours, so a mix-up would be an escrow address that nobody can ever pay out from.
"""

from dataclasses import dataclass, replace

from bmn.bindings.abi import encode_dynamic, words_of
from bmn.bindings.variants import Variant
from bmn.core.errors import BadInput
from bmn.core.escrow_address import clone_init_code_hash, create2_address
from bmn.core.hashing import keccak
from bmn.core.immutables import (
    COMPLEMENT_SIZE,
    IMMUTABLES_SIZE,
    DstComplement,
    Immutables,
    decode_complement,
    decode_immutables,
    encode_complement,
    encode_immutables,
)
from bmn.core.timelocks import Timelocks
from bmn.core.units import Address, ChainId, Hash32, Hashlock, OrderHash, TokenAmount, UnixTime, Wei
from bmn.core.words import WORD, decode_address, decode_uint, encode_address, encode_uint


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeImmutables:
    """Parameters of one escrow of 1inch v1.2 or BMN v4."""

    order_hash: OrderHash
    """As in `Immutables`, and so on."""
    hashlock: Hashlock
    maker: Address
    taker: Address
    token: Address
    amount: TokenAmount
    """Fees come out of it."""
    safety_deposit: Wei
    timelocks: Timelocks
    parameters: bytes
    """Empty, or what `decode_fees` reads; the contracts do not check it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeComplement:
    """What the destination escrow has different; told only by the source event."""

    maker: Address
    """As in `DstComplement`, and so on."""
    amount: TokenAmount
    token: Address
    safety_deposit: Wei
    chain_id: ChainId
    parameters: bytes
    """Of the destination escrow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fees:
    """Who takes how much of a destination escrow's amount."""

    resolver_fee: TokenAmount
    """Also called protocol fee."""
    integrator_fee: TokenAmount
    resolver_recipient: Address
    integrator_recipient: Address


def encode_fee_immutables(immutables: FeeImmutables) -> bytes:
    """Return the ABI encoding as the only argument: 0x20, eight words, 0x120, length, padded parameters."""
    return encode_uint(WORD) + _join(encode_immutables(_eight(immutables)), immutables.parameters)


def decode_fee_immutables(data: bytes) -> FeeImmutables:
    """Read what `encode_fee_immutables` writes.

    Raises:
        BadInput: it is not that.
    """
    if decode_uint(data[:WORD]) != WORD:
        raise BadInput("BAD_ABI", "immutables of nine fields begin with their offset")
    head, parameters, rest = _split(data[WORD:], IMMUTABLES_SIZE)
    if rest:
        raise BadInput("BAD_ABI", f"{len(rest)} bytes follow the immutables")
    return _immutables(head, parameters)


def decode_fee_event(data: bytes) -> tuple[FeeImmutables, FeeComplement]:
    """Read the data of `SrcEscrowCreated` of these variants: two offsets, immutables, complement.

    Raises:
        BadInput: it is not that.
    """
    head, parameters, rest = _split(data[2 * WORD :], IMMUTABLES_SIZE)
    if decode_uint(data[:WORD]) != 2 * WORD or decode_uint(data[WORD : 2 * WORD]) != len(data) - len(rest):
        raise BadInput("BAD_ABI", "offsets that no encoder writes")
    other, other_parameters, rest = _split(rest, COMPLEMENT_SIZE)
    if rest:
        raise BadInput("BAD_ABI", f"{len(rest)} bytes follow the complement")
    complement = decode_complement(other)
    return _immutables(head, parameters), FeeComplement(
        maker=complement.maker,
        amount=complement.amount,
        token=complement.token,
        safety_deposit=complement.safety_deposit,
        chain_id=complement.chain_id,
        parameters=other_parameters,
    )


def encode_fee_event(immutables: FeeImmutables, complement: FeeComplement) -> bytes:
    """Return what `decode_fee_event` reads."""
    first = _join(encode_immutables(_eight(immutables)), immutables.parameters)
    second = DstComplement(
        maker=complement.maker,
        amount=complement.amount,
        token=complement.token,
        safety_deposit=complement.safety_deposit,
        chain_id=complement.chain_id,
    )
    offsets = encode_uint(2 * WORD) + encode_uint(2 * WORD + len(first))
    return offsets + first + _join(encode_complement(second), complement.parameters)


def hash_fee_immutables(variant: Variant, immutables: FeeImmutables) -> Hash32:
    """Return the CREATE2 salt of the escrow.

    1inch v1.2 hashes the eight words and the hash of the parameters, BMN v4 the whole ABI encoding.

    Raises:
        BadInput: NO_FEE_IMMUTABLES: the variant's immutables have eight fields.
    """
    match variant:
        case Variant.ONE_INCH_V1_2:
            return Hash32(keccak(encode_immutables(_eight(immutables)) + keccak(immutables.parameters)))
        case Variant.BMN_V4_0:
            return Hash32(keccak(encode_fee_immutables(immutables)))
        case _:
            raise BadInput("NO_FEE_IMMUTABLES", f"immutables of {variant} have eight fields")


def fee_escrow_address(
    variant: Variant, *, factory: Address, implementation: Address, immutables: FeeImmutables
) -> Address:
    """Return the address of the escrow; `implementation` is the source or destination one of that factory.

    Raises:
        BadInput: NO_FEE_IMMUTABLES: the variant's immutables have eight fields.
    """
    return create2_address(
        deployer=factory,
        salt=hash_fee_immutables(variant, immutables),
        init_code_hash=clone_init_code_hash(implementation),
    )


def dst_fee_immutables(
    src: FeeImmutables, complement: FeeComplement, *, taker: Address, deployed_at: UnixTime
) -> FeeImmutables:
    """Return the immutables of the destination escrow that answers a source escrow; see `core.dst_immutables`."""
    return replace(
        src,
        maker=complement.maker,
        taker=taker,
        token=complement.token,
        amount=complement.amount,
        safety_deposit=complement.safety_deposit,
        timelocks=src.timelocks.deployed(deployed_at),
        parameters=complement.parameters,
    )


def encode_fees(fees: Fees | None) -> bytes:
    """Return `parameters`: four words, or nothing."""
    if fees is None:
        return b""
    return (
        encode_uint(fees.resolver_fee)
        + encode_uint(fees.integrator_fee)
        + encode_address(fees.resolver_recipient)
        + encode_address(fees.integrator_recipient)
    )


def decode_fees(parameters: bytes) -> Fees | None:
    """Read `parameters`; None when empty.

    Raises:
        BadInput: BAD_FEES: anything else, with which an escrow may be made but never be paid out from.
    """
    if not parameters:
        return None
    try:
        resolver_fee, integrator_fee, *recipients = words_of(parameters, 4)
        resolver_recipient, integrator_recipient = map(decode_address, recipients)
    except BadInput as error:
        raise BadInput(
            "BAD_FEES", f"{len(parameters)} bytes of parameters are not two fees and two addresses"
        ) from error
    return Fees(
        resolver_fee=TokenAmount(decode_uint(resolver_fee)),
        integrator_fee=TokenAmount(decode_uint(integrator_fee)),
        resolver_recipient=resolver_recipient,
        integrator_recipient=integrator_recipient,
    )


def _eight(immutables: FeeImmutables) -> Immutables:
    """Return the static words; they are no immutables of their own."""
    return Immutables(
        order_hash=immutables.order_hash,
        hashlock=immutables.hashlock,
        maker=immutables.maker,
        taker=immutables.taker,
        token=immutables.token,
        amount=immutables.amount,
        safety_deposit=immutables.safety_deposit,
        timelocks=immutables.timelocks,
    )


def _immutables(head: bytes, parameters: bytes) -> FeeImmutables:
    eight = decode_immutables(head)
    return FeeImmutables(
        order_hash=eight.order_hash,
        hashlock=eight.hashlock,
        maker=eight.maker,
        taker=eight.taker,
        token=eight.token,
        amount=eight.amount,
        safety_deposit=eight.safety_deposit,
        timelocks=eight.timelocks,
        parameters=parameters,
    )


def _join(head: bytes, blob: bytes) -> bytes:
    """Return a tuple of static words and one `bytes` at its end."""
    return head + encode_uint(len(head) + WORD) + encode_dynamic(blob)


def _split(data: bytes, size: int) -> tuple[bytes, bytes, bytes]:
    """Return `size` bytes of static words, the `bytes` after them, and what follows."""
    offset, length = decode_uint(data[size : size + WORD]), decode_uint(data[size + WORD : size + 2 * WORD])
    start = size + 2 * WORD
    end = start + length + -length % WORD
    if offset != size + WORD or end > len(data) or any(data[start + length : end]):
        raise BadInput("BAD_ABI", "a tuple that is cut short, or not as an encoder writes it")
    return data[:size], data[start : start + length], data[end:]
