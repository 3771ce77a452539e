"""Calldata of our Resolver contract. Immutables and orders are 8 words, 256 bytes, each."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from bmn.bindings.abi import (
    IMMUTABLES,
    ORDER,
    decode_address_result,
    decode_bool_result,
    decode_uint_result,
    encode_dynamic,
    selector,
    words_of,
)
from bmn.core.compact_signature import CompactSignature
from bmn.core.errors import BadInput
from bmn.core.immutables import Immutables, encode_immutables
from bmn.core.order import Order, encode_order
from bmn.core.units import Address, Gas, Hashlock, Seconds, Secret, TokenAmount, UnixTime
from bmn.core.words import WORD, check_bits, decode_address, decode_uint, encode_address, encode_uint

DEPLOY_SRC = selector(f"deploySrc({IMMUTABLES},{ORDER},bytes32,bytes32,uint256,uint256,bytes,uint256)")
DEPLOY_DST = selector(f"deployDst({IMMUTABLES},uint256,uint256,uint256)")
WITHDRAW_DST = selector(f"withdrawDst(bytes32,{IMMUTABLES})")
WITHDRAW_SRC = selector(f"withdrawSrc(bytes32,{IMMUTABLES})")
CANCEL_DST = selector(f"cancelDst({IMMUTABLES})")
CANCEL_SRC = selector(f"cancelSrc({IMMUTABLES})")
TRY_BATCH = selector("tryBatch(bytes[],uint256[])")
SWEEP = selector("sweep(address,uint256)")
SET_OPERATOR = selector("setOperator(address,bool)")
SET_LIMIT = selector("setLimit(address,uint128,uint128)")
SET_MIN_MARGIN = selector("setMinMargin(uint32)")
RESCUE = selector(f"rescue(bool,{IMMUTABLES},address,uint256)")
LOCK_OF = selector("lockOf(bytes32)")
IS_OPERATOR = selector("isOperator(address)")
LIMITS = selector("limits(address)")

PAUSE = selector("pause()")
"""Whole calldata: stop fills and locks, as operator or owner."""
UNPAUSE = selector("unpause()")
"""Whole calldata: as owner."""
MIN_MARGIN = selector("minMargin()")
"""Whole calldata; answered with seconds."""
PAUSED = selector("paused()")
"""Whole calldata; answered with a bool."""
OWNER = selector("owner()")
"""Whole calldata; answered with an address."""
TREASURY = selector("treasury()")
"""Whole calldata; answered with an address."""
LOP = selector("LOP()")
"""Whole calldata; answered with an address."""
FACTORY = selector("FACTORY()")
"""Whole calldata; answered with an address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """The destination escrow that this Resolver made for a hashlock; written once, never cleared."""

    escrow: Address
    """Where."""
    at: UnixTime
    """Block time of the lock: the escrow's `deployed_at`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenLimit:
    """How much of a token operators may lock."""

    per_lock: TokenAmount
    """Zero refuses the token."""
    per_hour: TokenAmount
    """Zero is no bound."""


def build_deploy_src(
    *,
    immutables: Immutables,
    order: Order,
    signature: CompactSignature,
    amount: TokenAmount,
    taker_traits: int,
    args: bytes,
    not_after: UnixTime,
) -> bytes:
    """Fill an order and make its source escrow, deposit included.

    `immutables.timelocks.deployed_at` is overwritten by the contract, which also puts the escrow's address as
    target in front of `args` and sets its bit in `taker_traits`: pass extension and interaction only.
    """
    return b"".join(
        (
            DEPLOY_SRC,
            encode_immutables(immutables),
            encode_order(order),
            signature.r,
            signature.vs,
            encode_uint(amount),
            encode_uint(taker_traits),
            encode_uint(704),
            encode_uint(not_after),
            encode_dynamic(args),
        )
    )


def build_deploy_dst(
    *, immutables: Immutables, src_cancellation: UnixTime, margin: Seconds, not_after: UnixTime
) -> bytes:
    """Make the destination escrow; refused unless its cancellation is `margin` before `src_cancellation`."""
    return (
        DEPLOY_DST
        + encode_immutables(immutables)
        + encode_uint(src_cancellation)
        + encode_uint(margin)
        + encode_uint(not_after)
    )


def build_withdraw_dst(secret: Secret, immutables: Immutables) -> bytes:
    """Pay the maker; open to anyone. The calldata carries the secret."""
    return WITHDRAW_DST + secret.reveal() + encode_immutables(immutables)


def build_withdraw_src(secret: Secret, immutables: Immutables) -> bytes:
    """Claim the maker's tokens. The calldata carries the secret."""
    return WITHDRAW_SRC + secret.reveal() + encode_immutables(immutables)


def build_cancel_dst(immutables: Immutables) -> bytes:
    """Take our tokens back."""
    return CANCEL_DST + encode_immutables(immutables)


def build_cancel_src(immutables: Immutables) -> bytes:
    """Give the maker's tokens back."""
    return CANCEL_SRC + encode_immutables(immutables)


def build_try_batch(items: Sequence[tuple[bytes, Gas]]) -> bytes:
    """Run several of the six calls above, each with its own gas; one that fails undoes only itself."""
    calls = [encode_dynamic(call) for call, _ in items]
    # Offsets count from the word after the array's length.
    starts = accumulate((len(call) for call in calls[:-1]), initial=WORD * len(calls)) if calls else ()
    array = encode_uint(len(calls)) + b"".join(map(encode_uint, starts)) + b"".join(calls)
    gas = encode_uint(len(items)) + b"".join(encode_uint(limit) for _, limit in items)
    return TRY_BATCH + encode_uint(2 * WORD) + encode_uint(2 * WORD + len(array)) + array + gas


def build_sweep(token: Address, amount: TokenAmount) -> bytes:
    """Send to the treasury; zero is the native coin."""
    return SWEEP + encode_address(token) + encode_uint(amount)


def build_set_operator(operator: Address, *, allowed: bool) -> bytes:
    """Give or take the operator role, as owner."""
    return SET_OPERATOR + encode_address(operator) + encode_uint(allowed)


def build_set_limit(token: Address, limit: TokenLimit) -> bytes:
    """Bound what operators may lock of `token`, as owner; 128 bits each.

    Raises:
        BadInput: a bound does not fit.
    """
    check_bits("per_lock", limit.per_lock, 128)
    check_bits("per_hour", limit.per_hour, 128)
    return SET_LIMIT + encode_address(token) + encode_uint(limit.per_lock) + encode_uint(limit.per_hour)


def build_set_min_margin(margin: Seconds) -> bytes:
    """Set the least margin of `deployDst`, as owner; 32 bits.

    Raises:
        BadInput: it does not fit.
    """
    check_bits("margin", margin, 32)
    return SET_MIN_MARGIN + encode_uint(margin)


def build_rescue(*, src: bool, immutables: Immutables, token: Address, amount: TokenAmount) -> bytes:
    """Sweep an escrow after the rescue delay, as owner."""
    return RESCUE + encode_uint(src) + encode_immutables(immutables) + encode_address(token) + encode_uint(amount)


def build_lock_of(hashlock: Hashlock) -> bytes:
    """Ask whether this Resolver ever locked for `hashlock`."""
    return LOCK_OF + hashlock


def build_is_operator(account: Address) -> bytes:
    """Ask whether `account` is an operator."""
    return IS_OPERATOR + encode_address(account)


def build_limits(token: Address) -> bytes:
    """Ask for the bounds on `token`."""
    return LIMITS + encode_address(token)


def decode_lock(data: bytes) -> Lock | None:
    """Read the answer to `lockOf`; None when there is no lock."""
    escrow, at = words_of(data, 2)
    if not any(escrow):
        return None
    return Lock(escrow=decode_address(escrow), at=UnixTime(decode_uint(at)))


def decode_limits(data: bytes) -> TokenLimit:
    """Read the answer to `limits`."""
    per_lock, per_hour = words_of(data, 2)
    return TokenLimit(per_lock=TokenAmount(decode_uint(per_lock)), per_hour=TokenAmount(decode_uint(per_hour)))


def decode_is_operator(data: bytes) -> bool:
    """Read the answer to `isOperator`."""
    return decode_bool_result(data)


def decode_paused(data: bytes) -> bool:
    """Read the answer to `PAUSED`."""
    return decode_bool_result(data)


def decode_min_margin(data: bytes) -> Seconds:
    """Read the answer to `MIN_MARGIN`."""
    return Seconds(decode_uint_result(data))


def decode_account(data: bytes) -> Address:
    """Read the answer to `OWNER`, `TREASURY`, `LOP` or `FACTORY`."""
    return decode_address_result(data)


def decode_try_batch(data: bytes) -> tuple[bool, ...]:
    """Read the answer to `tryBatch`: which items took effect.

    Raises:
        BadInput: BAD_RESULT: not an array of bools.
    """
    offset, length = words_of(data[: 2 * WORD], 2)
    if decode_uint(offset) != WORD:
        raise BadInput("BAD_RESULT", "the answer is not an array")
    return tuple(decode_bool_result(word) for word in words_of(data[2 * WORD :], decode_uint(length)))
