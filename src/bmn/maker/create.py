"""Making an order: draw a secret, store it, then sign."""

from dataclasses import dataclass
from typing import Final

from bmn.core.chain import ChainSpec
from bmn.core.compact_signature import CompactSignature, compact_signature
from bmn.core.eip712 import order_hash
from bmn.core.errors import BadInput
from bmn.core.escrow_order import (
    EscrowOrder,
    ExtraDataArgs,
    FillKind,
    PostInteraction,
    WhitelistEntry,
    build_escrow_order,
)
from bmn.core.margins import Margins
from bmn.core.timelocks import NOT_DEPLOYED, Timelocks, check_timelocks
from bmn.core.traits import low_80_bits
from bmn.core.units import (
    NATIVE,
    ZERO_ADDRESS,
    Address,
    BlockNumber,
    Hash32,
    Seconds,
    Secret,
    TokenAmount,
    UnixTime,
    Wei,
)
from bmn.evm.signer import Signature, Signer
from bmn.maker.vault import MakerOrder, Vault, with_signature
from bmn.seams import Rng

_DAY: Final = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderTerms:
    """What the maker wants: give this there, get that here."""

    src: ChainSpec
    dst: ChainSpec
    src_token: Address
    dst_token: Address
    """Zero is the native coin."""
    making_amount: TokenAmount
    taking_amount: TokenAmount
    timelocks: Timelocks
    src_deposit: Wei
    dst_deposit: Wei
    expires_at: UnixTime
    """Last source-chain second in which a fill is allowed; 0 = never expires."""
    resolving_start: UnixTime
    """Source-chain second from which resolvers may fill; usually the time of the newest block."""
    src_block: BlockNumber
    """Newest source block now; `MakerOrder.src_block`."""
    dst_block: BlockNumber
    """Newest destination block now."""
    receiver: Address = ZERO_ADDRESS
    """Who is paid on the destination; zero is the maker."""
    whitelist: tuple[Address, ...] = ()
    """Resolver contracts that may fill without an access token; advisory: 80 bits are compared."""


async def create_order(terms: OrderTerms, *, signer: Signer, rng: Rng, vault: Vault) -> MakerOrder:
    """Return a signed single-fill order, stored with its secret before the signature was made.

    Raises:
        BadInput: amounts, timelocks or tokens that make no swap.
        ChainError: the signer's key is out of reach; the unsigned order stays in the vault and is worthless.
    """
    check_terms(terms)
    secret = Secret(rng.token_bytes(32))
    order, extension = build_escrow_order(_escrow_order(terms, signer.address, secret, rng))
    unsigned = MakerOrder(
        order_hash=order_hash(terms.src.domain, order),
        hashlock=secret.hashlock,
        src_chain=terms.src.id,
        dst_chain=terms.dst.id,
        order=order,
        extension=extension,
        src_block=terms.src_block,
        dst_block=terms.dst_block,
    )
    # Before the signature: a signed order without its secret pays the maker nothing.
    vault.add(unsigned, secret)
    signature = compact(await signer.sign_digest(unsigned.order_hash))
    vault.set_signature(unsigned.order_hash, signature)
    return with_signature(unsigned, signature)


def check_terms(terms: OrderTerms) -> None:
    """Refuse what no careful maker would sign.

    Raises:
        BadInput: SAME_CHAIN, NATIVE_SOURCE, ZERO_AMOUNT, BAD_TIMELOCKS, RESCUE_TOO_EARLY.
    """
    if terms.src.id == terms.dst.id:
        raise BadInput("SAME_CHAIN", "source and destination are the same chain")
    if terms.src_token == NATIVE:
        raise BadInput("NATIVE_SOURCE", "the native coin cannot be given", hint="wrap it first and give the token")
    if terms.making_amount <= 0 or terms.taking_amount <= 0:
        raise BadInput("ZERO_AMOUNT", "both amounts must be greater than zero")
    locks = terms.timelocks
    check_timelocks(locks)
    if locks.deployed_at != NOT_DEPLOYED:
        raise BadInput("BAD_TIMELOCKS", "the timelocks of an order carry no deployment time")
    if locks.dst_cancellation >= locks.src_cancellation:
        raise BadInput("BAD_TIMELOCKS", "dst_cancellation must come before src_cancellation")
    if (
        locks.src_public_cancellation + _DAY >= terms.src.contracts.rescue_delay_src
        or locks.dst_cancellation + _DAY >= terms.dst.contracts.rescue_delay_dst
    ):
        raise BadInput("RESCUE_TOO_EARLY", "the taker could sweep an escrow too soon after its windows end")


def default_timelocks(margins: Margins) -> Timelocks:
    """Return offsets that leave every margin of the pair, with as much again to reveal as is required."""
    dst_withdrawal = margins.dst.finality + margins.dst.block_time
    reveal = 2 * (margins.min_reveal + margins.pay_budget)
    dst_cancellation = dst_withdrawal + reveal
    src_withdrawal = margins.src.finality + margins.src.block_time
    src_cancellation = (
        max(dst_cancellation + 2 * margins.fill_to_lock, src_withdrawal) + margins.required + margins.recovery
    )
    return Timelocks(
        src_withdrawal=Seconds(src_withdrawal),
        src_public_withdrawal=Seconds(max(src_withdrawal + 1, dst_cancellation)),
        src_cancellation=Seconds(src_cancellation),
        src_public_cancellation=Seconds(src_cancellation + max(60, margins.recovery)),
        dst_withdrawal=Seconds(dst_withdrawal),
        dst_public_withdrawal=Seconds(dst_withdrawal + reveal // 2),
        dst_cancellation=Seconds(dst_cancellation),
    )


def compact(signature: Signature) -> CompactSignature:
    """Return a signer's answer in the form of the limit order protocol."""
    return compact_signature(r=signature.r, s=signature.s, y_parity=signature.y_parity)


def _escrow_order(terms: OrderTerms, maker: Address, secret: Secret, rng: Rng) -> EscrowOrder:
    return EscrowOrder(
        kind=FillKind.SINGLE,
        maker=maker,
        receiver=terms.receiver,
        maker_asset=terms.src_token,
        taker_asset=terms.src.contracts.noop_token,
        making_amount=terms.making_amount,
        taking_amount=terms.taking_amount,
        post_interaction=PostInteraction(
            factory=terms.src.contracts.factory,
            resolving_start=terms.resolving_start,
            whitelist=tuple(
                WhitelistEntry(low_bits=low_80_bits(address), delay=Seconds(0)) for address in terms.whitelist
            ),
            extra=ExtraDataArgs(
                hashlock_info=Hash32(secret.hashlock),
                dst_chain_id=terms.dst.id,
                dst_token=terms.dst_token,
                src_safety_deposit=terms.src_deposit,
                dst_safety_deposit=terms.dst_deposit,
                timelocks=terms.timelocks,
            ),
        ),
        salt_base=int.from_bytes(rng.token_bytes(12), "big"),
        nonce=int.from_bytes(rng.token_bytes(5), "big"),
        expiration=terms.expires_at,
    )
