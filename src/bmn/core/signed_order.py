"""An order as a maker submits it, and what it means once it is parsed."""

from dataclasses import dataclass

from bmn.core.compact_signature import CompactSignature
from bmn.core.eip712 import Domain, order_hash
from bmn.core.escrow_order import EscrowOrder, hashlock_of, paid_to, parse_escrow_order
from bmn.core.order import Order
from bmn.core.timelocks import Timelocks
from bmn.core.units import Address, ChainId, Hashlock, OrderHash, TokenAmount, UnixTime, Wei


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedOrder:
    """What the maker publishes."""

    src_chain: ChainId
    order: Order
    extension: bytes
    signature: CompactSignature


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapTerms:
    """One single-fill order, by meaning."""

    order_hash: OrderHash
    hashlock: Hashlock
    src_chain: ChainId
    dst_chain: ChainId
    maker: Address
    receiver: Address
    """Who is paid on the destination; never zero."""
    src_token: Address
    dst_token: Address
    taker_asset: Address
    factory: Address
    making_amount: TokenAmount
    taking_amount: TokenAmount
    src_deposit: Wei
    dst_deposit: Wei
    timelocks: Timelocks
    expires_at: UnixTime
    """Last source second in which a fill is allowed; 0 = never expires."""
    escrow_order: EscrowOrder


def parse_swap_terms(signed: SignedOrder, domain: Domain) -> SwapTerms:
    """Read a single-fill escrow order.

    Raises:
        BadInput: not an order we would have built, or one with several fills (`MULTI_FILL`).
    """
    parsed = parse_escrow_order(signed.order, signed.extension)
    hashlock = hashlock_of(parsed)
    extra = parsed.post_interaction.extra
    return SwapTerms(
        order_hash=order_hash(domain, signed.order),
        hashlock=hashlock,
        src_chain=signed.src_chain,
        dst_chain=extra.dst_chain_id,
        maker=parsed.maker,
        receiver=paid_to(parsed),
        src_token=parsed.maker_asset,
        dst_token=extra.dst_token,
        taker_asset=parsed.taker_asset,
        factory=parsed.post_interaction.factory,
        making_amount=parsed.making_amount,
        taking_amount=parsed.taking_amount,
        src_deposit=extra.src_safety_deposit,
        dst_deposit=extra.dst_safety_deposit,
        timelocks=extra.timelocks,
        expires_at=parsed.expiration,
        escrow_order=parsed,
    )
