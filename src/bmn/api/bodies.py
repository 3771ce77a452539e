"""JSON bodies of the HTTP interface, and core types from and to them. Big integers are decimal strings."""

import re
from typing import Final

import msgspec

from bmn.core.compact_signature import parse_signature
from bmn.core.errors import BadInput
from bmn.core.order import MakerTraitsWord, Order, Salt
from bmn.core.signed_order import SignedOrder
from bmn.core.units import UINT256_MAX, Address, ChainId, Secret, TokenAmount
from bmn.resolver.view import EscrowView, SwapView

MAX_EXTENSION: Final = 4096
"""Bytes; an escrow order with 31 resolvers and an auction needs a fraction."""


class OrderFields(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The signed struct."""

    salt: str
    maker: str
    receiver: str
    maker_asset: str
    taker_asset: str
    making_amount: str
    taking_amount: str
    maker_traits: str


class OrderBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a maker submits."""

    src_chain: int
    order: OrderFields
    extension: str
    signature: str


class SecretBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A secret handed over. Never printed."""

    secret: str

    def __repr__(self) -> str:
        return "SecretBody(…)"


class AcceptedBody(msgspec.Struct, frozen=True):
    """Answer to an order."""

    order_hash: str
    hashlock: str
    state: str


class TakenBody(msgspec.Struct, frozen=True):
    """Answer to a secret."""

    state: str


class EscrowBody(msgspec.Struct, frozen=True):
    """One escrow."""

    address: str
    deployed_at: int
    tx_hash: str
    immutables: str


class TransactionBody(msgspec.Struct, frozen=True):
    """One transaction; prices are decimal strings."""

    step: str
    chain: int
    hash: str
    block: int | None
    gas: int | None
    gas_price: str | None
    state: str


class SwapBody(msgspec.Struct, frozen=True):
    """One swap."""

    order_hash: str
    hashlock: str
    state: str
    reason: str
    src_chain: int
    dst_chain: int
    src_escrow: EscrowBody | None
    dst_escrow: EscrowBody | None
    reveal_until: int | None
    transactions: list[TransactionBody]


class SwapsBody(msgspec.Struct, frozen=True):
    """Several swaps, newest first."""

    orders: list[SwapBody]


class ChainBody(msgspec.Struct, frozen=True):
    """One chain we trade on."""

    id: int
    name: str
    resolver: str
    factory: str
    src_implementation: str
    dst_implementation: str
    limit_order_protocol: str
    access_token: str
    noop_token: str
    domain_name: str
    domain_version: str


class PairBody(msgspec.Struct, frozen=True):
    """One direction we trade in."""

    src: int
    dst: int


class ResolverBody(msgspec.Struct, frozen=True):
    """Public facts about this resolver; a maker checks them against his own."""

    chains: list[ChainBody]
    pairs: list[PairBody]


class ComponentBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """Health of one thing."""

    status: str
    detail: str
    head_age: float | None = None


class HealthBody(msgspec.Struct, frozen=True):
    """Health of the service."""

    status: str
    components: dict[str, ComponentBody]


def parse_order_body(body: OrderBody) -> SignedOrder:
    """Read a submitted order.

    Raises:
        BadInput: a number, address, hex text or signature is not one.
    """
    fields = body.order
    return SignedOrder(
        src_chain=ChainId(body.src_chain),
        order=Order(
            salt=Salt(_parse_uint("salt", fields.salt)),
            maker=Address.from_hex(fields.maker),
            receiver=Address.from_hex(fields.receiver),
            maker_asset=Address.from_hex(fields.maker_asset),
            taker_asset=Address.from_hex(fields.taker_asset),
            making_amount=TokenAmount(_parse_uint("makingAmount", fields.making_amount)),
            taking_amount=TokenAmount(_parse_uint("takingAmount", fields.taking_amount)),
            maker_traits=MakerTraitsWord(_parse_uint("makerTraits", fields.maker_traits)),
        ),
        extension=_parse_bytes("extension", body.extension, most=MAX_EXTENSION),
        signature=parse_signature(_parse_bytes("signature", body.signature, most=65)),
    )


def parse_secret_body(body: SecretBody) -> Secret:
    """Read a secret.

    Raises:
        BadInput: BAD_SECRET; the value is not quoted.
    """
    if not _SECRET.fullmatch(body.secret):
        raise BadInput("BAD_SECRET", "a secret is 0x and 64 hex digits")
    return Secret(bytes.fromhex(body.secret[2:]))


def show_swap(view: SwapView) -> SwapBody:
    """Return the JSON shape of a swap."""
    return SwapBody(
        order_hash=str(view.order_hash),
        hashlock=str(view.hashlock),
        state=view.state.value,
        reason=view.reason,
        src_chain=view.src_chain,
        dst_chain=view.dst_chain,
        src_escrow=_show_escrow(view.src_escrow),
        dst_escrow=_show_escrow(view.dst_escrow),
        reveal_until=view.reveal_until,
        transactions=[
            TransactionBody(
                step=step.step,
                chain=step.chain,
                hash=str(step.hash),
                block=step.block,
                gas=step.gas,
                gas_price=None if step.gas_price is None else str(step.gas_price),
                state=step.state,
            )
            for step in view.transactions
        ],
    )


_SECRET = re.compile("0x[0-9a-fA-F]{64}")
_DECIMAL = re.compile("0|[1-9][0-9]{0,77}")
_HEX = re.compile("0x(?:[0-9a-fA-F]{2})*")


def _show_escrow(escrow: EscrowView | None) -> EscrowBody | None:
    if escrow is None:
        return None
    return EscrowBody(
        address=str(escrow.address),
        deployed_at=escrow.deployed_at,
        tx_hash=str(escrow.tx_hash),
        immutables="0x" + escrow.immutables.hex(),
    )


def _parse_uint(name: str, text: str) -> int:
    if not _DECIMAL.fullmatch(text) or int(text) > UINT256_MAX:
        raise BadInput("BAD_NUMBER", f"{name} must be a decimal text of at most 256 bits")
    return int(text)


def _parse_bytes(name: str, text: str, *, most: int) -> bytes:
    if len(text) > 2 + 2 * most or not _HEX.fullmatch(text):
        raise BadInput("BAD_HEX", f"{name} must be 0x-hex of at most {most} bytes")
    return bytes.fromhex(text[2:])
