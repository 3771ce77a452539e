"""Whether an order may become a swap: everything that its own bytes and our policy decide, without a chain."""

from collections.abc import Mapping
from dataclasses import dataclass

from bmn.core.chain import ChainSpec
from bmn.core.errors import BadInput
from bmn.core.escrow_order import whitelist_allows
from bmn.core.hashing import keccak
from bmn.core.margins import Margins
from bmn.core.signed_order import SwapTerms
from bmn.core.timelocks import check_timelocks
from bmn.core.units import NATIVE, ZERO_ADDRESS, Address, Bps, TokenAmount, UnixTime, Wei, bps_of

_DAY = 86_400
_TRIVIAL_HASHLOCKS = frozenset(
    keccak(preimage) for preimage in (b"", bytes(32), (1).to_bytes(32, "big"), b"\xff" * 32)
) | {bytes(32)}
_LAST_PRECOMPILE = 0xFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRule:
    """One listed token on one chain."""

    symbol: str
    decimals: int
    max_amount: TokenAmount
    """Largest amount of one swap."""
    micro_usd: int | None
    """Fixed price of one whole token, in millionths of a dollar; None: unknown, so refuse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptancePolicy:
    """What the operator trades between two chains."""

    src: ChainSpec
    dst: ChainSpec
    src_tokens: Mapping[Address, TokenRule]
    dst_tokens: Mapping[Address, TokenRule]
    margins: Margins
    max_deposit: Wei
    """Largest safety deposit, on either side."""
    min_margin: Bps
    """Least value we must gain before gas, of the value we pay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """Why not: a stable code and a sentence for the maker."""

    code: str
    detail: str


def evaluate_order(terms: SwapTerms, policy: AcceptancePolicy, now: UnixTime) -> Reject | None:
    """Return why this order is turned down, or None. `now` is the time of the source chain."""
    return (
        _check_roles(terms, policy)
        or _check_amounts(terms, policy)
        or _check_value(terms, policy)
        or _check_timelocks(terms, policy)
        or _check_timing(terms, policy, now)
    )


def _check_roles(terms: SwapTerms, policy: AcceptancePolicy) -> Reject | None:
    contracts = policy.src.contracts
    if terms.factory != contracts.factory:
        return Reject(
            code="WRONG_FACTORY", detail=f"the order names factory {terms.factory!s}, not {contracts.factory!s}"
        )
    if terms.taker_asset not in {contracts.noop_token, ZERO_ADDRESS}:
        # A real token here would pay the maker on the source chain too.
        return Reject(code="TAKER_ASSET_NOT_NOOP", detail="the taker asset must be the no-op token of the source chain")
    dst = policy.dst.contracts
    forbidden = {dst.factory, dst.resolver, dst.src_implementation, dst.dst_implementation, terms.dst_token}
    if terms.receiver in forbidden or terms.receiver.word <= _LAST_PRECOMPILE:
        return Reject(code="BAD_RECEIVER", detail=f"{terms.receiver!s} cannot receive on the destination chain")
    if terms.maker in {contracts.resolver, contracts.factory}:
        return Reject(code="BAD_MAKER", detail="the maker is one of our own contracts")
    if bytes(terms.hashlock) in _TRIVIAL_HASHLOCKS:
        return Reject(code="HASHLOCK_KNOWN", detail="the secret of this hashlock is known to everybody; draw a new one")
    return None


def _check_amounts(terms: SwapTerms, policy: AcceptancePolicy) -> Reject | None:
    if terms.src_token == NATIVE:
        return Reject(code="TOKEN_NOT_LISTED", detail="the native coin cannot be given; use its wrapped token")
    src, dst = policy.src_tokens.get(terms.src_token), policy.dst_tokens.get(terms.dst_token)
    if src is None:
        return Reject(code="TOKEN_NOT_LISTED", detail=f"token {terms.src_token!s} is not traded on {policy.src.name}")
    if dst is None:
        return Reject(code="TOKEN_NOT_LISTED", detail=f"token {terms.dst_token!s} is not traded on {policy.dst.name}")
    if not terms.making_amount or not terms.taking_amount:
        return Reject(code="ZERO_AMOUNT", detail="both amounts must be greater than zero")
    if terms.making_amount > src.max_amount or terms.taking_amount > dst.max_amount:
        return Reject(code="OVER_LIMIT", detail=f"at most {_whole(src)} for at most {_whole(dst)} in one order")
    if max(terms.src_deposit, terms.dst_deposit) > policy.max_deposit:
        return Reject(code="DEPOSIT_TOO_LARGE", detail=f"a safety deposit may be at most {policy.max_deposit} wei")
    return None


def _check_value(terms: SwapTerms, policy: AcceptancePolicy) -> Reject | None:
    src, dst = policy.src_tokens[terms.src_token], policy.dst_tokens[terms.dst_token]
    if src.micro_usd is None or dst.micro_usd is None:
        return Reject(code="PRICE_UNKNOWN", detail=f"no price for {src.symbol} or {dst.symbol}; unknown means no")
    # Multiplied out, so that nothing is rounded: gained/10^d_s against paid/10^d_d.
    gained = terms.making_amount * src.micro_usd * 10**dst.decimals
    paid = terms.taking_amount * dst.micro_usd * 10**src.decimals
    if gained - paid < bps_of(paid, policy.min_margin):
        return Reject(code="UNPROFITABLE", detail=f"at our prices we would gain less than {policy.min_margin} bps")
    return None


def _check_timelocks(terms: SwapTerms, policy: AcceptancePolicy) -> Reject | None:
    locks, margins = terms.timelocks, policy.margins
    try:
        check_timelocks(locks)
    except BadInput as error:
        return Reject(code=error.code, detail=error.detail)
    # Both counted from the fill: the lock comes `fill_to_lock` later.
    window_end = max(locks.dst_cancellation + margins.fill_to_lock, locks.src_withdrawal)
    if locks.src_cancellation - window_end < margins.required:
        return Reject(
            code="MARGIN_TOO_THIN",
            detail=f"srcCancellation must be {window_end + margins.required} s or more, not {locks.src_cancellation} s",
        )
    if locks.dst_withdrawal < margins.dst.finality:
        return Reject(
            code="DST_WITHDRAWAL_TOO_EARLY", detail=f"dstWithdrawal must be at least {margins.dst.finality} s"
        )
    if locks.dst_cancellation - locks.dst_withdrawal < margins.min_reveal + margins.pay_budget:
        return Reject(code="REVEAL_WINDOW_TOO_SHORT", detail="there is too little time to reveal and pay")
    if max(locks.src_cancellation, locks.dst_cancellation) > margins.max_lock:
        return Reject(code="LOCK_TOO_LONG", detail=f"funds may be locked for at most {margins.max_lock} s")
    contracts = policy.src.contracts
    src_end, dst_end = locks.src_public_cancellation + _DAY, locks.dst_cancellation + _DAY
    if src_end >= contracts.rescue_delay_src or dst_end >= policy.dst.contracts.rescue_delay_dst:
        return Reject(code="RESCUE_TOO_EARLY", detail="the windows end too close to the rescue delay")
    return None


def _check_timing(terms: SwapTerms, policy: AcceptancePolicy, now: UnixTime) -> Reject | None:
    if terms.expires_at and now + policy.margins.src.inclusion > terms.expires_at:
        return Reject(code="EXPIRED", detail="the order expires before a fill could be mined")
    post = terms.escrow_order.post_interaction
    if not whitelist_allows(post, policy.src.contracts.resolver, now, holds_access_token=True):
        return Reject(code="NOT_OUR_TURN", detail="the order does not let this resolver fill it now")
    return None


def _whole(token: TokenRule) -> str:
    """Return the limit for people; the fraction of a whole token is left out."""
    return f"{token.max_amount // 10**token.decimals} {token.symbol}"
