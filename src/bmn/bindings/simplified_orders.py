"""What BMN's factories since v2.3 make of an order: another layout of the same 160 bytes, and times of their own.

Only read, for history; no such factory is traded with.
"""

import struct
from dataclasses import dataclass
from typing import Final

from bmn.bindings.abi import words_of
from bmn.bindings.variants import Variant
from bmn.core.eip712 import Domain, domain_separator
from bmn.core.errors import BadInput
from bmn.core.hashing import keccak
from bmn.core.timelocks import Timelocks
from bmn.core.units import Address, ChainId, Hash32, Hashlock, OrderHash, Seconds, UnixTime, Wei
from bmn.core.words import decode_address, decode_uint, encode_address

_HALVES: Final = struct.Struct(">16s16s")
_UINT32: Final = 1 << 32
_PUBLIC_ACTION: Final = keccak(b"PublicAction(bytes32 orderHash,address caller,string action)")


@dataclass(frozen=True, slots=True, kw_only=True)
class SimplifiedTerms:
    """The extra data of such an order's post-interaction: five words."""

    hashlock: Hashlock
    dst_chain_id: ChainId
    dst_token: Address
    src_safety_deposit: Wei
    """Low half of its word; in ours it is the high one."""
    dst_safety_deposit: Wei
    src_cancellation_at: UnixTime
    """High half; a moment, not an offset."""
    dst_withdrawal_at: UnixTime
    """Low half; a moment, not an offset."""


def decode_simplified_terms(data: bytes) -> SimplifiedTerms:
    """Read the extra data: hashlock, chain, token, dst | src deposit, src cancellation | dst withdrawal.

    Raises:
        BadInput: not five words, or the token is no address.
    """
    hashlock, chain_id, token, deposits, times = words_of(data, 5)
    dst_deposit, src_deposit = map(decode_uint, _HALVES.unpack(deposits))
    src_cancellation, dst_withdrawal = map(decode_uint, _HALVES.unpack(times))
    return SimplifiedTerms(
        hashlock=Hashlock(hashlock),
        dst_chain_id=ChainId(decode_uint(chain_id)),
        dst_token=decode_address(token),
        src_safety_deposit=Wei(src_deposit),
        dst_safety_deposit=Wei(dst_deposit),
        src_cancellation_at=UnixTime(src_cancellation),
        dst_withdrawal_at=UnixTime(dst_withdrawal),
    )


def simplified_timelocks(variant: Variant, terms: SimplifiedTerms, now: UnixTime) -> Timelocks:
    """Return the timelocks of a source escrow that the factory makes in a block of time `now`.

    v2.3 takes moments in the past too, and wraps them to 32 bits.

    Raises:
        BadInput: PAST_TIMES: later factories refuse moments that are not in the future.
        BadInput: NOT_SIMPLIFIED: the variant takes offsets as the maker signed them.
    """
    cancellation, withdrawal = terms.src_cancellation_at - now, terms.dst_withdrawal_at - now
    match variant:
        case Variant.BMN_V2_3:
            wait, public_wait, dst_cancellation = 300, 600, 7200
        case Variant.BMN_V3_0 | Variant.BMN_V4_0:
            if min(cancellation, withdrawal) <= 0:
                raise BadInput("PAST_TIMES", f"{variant} refuses moments before its block")
            wait, public_wait, dst_cancellation = 0, 60, cancellation
        case _:
            raise BadInput("NOT_SIMPLIFIED", f"orders of {variant} carry offsets")
    gap = public_wait - wait
    return Timelocks(
        src_withdrawal=Seconds(wait),
        src_public_withdrawal=Seconds(public_wait),
        src_cancellation=Seconds(cancellation % _UINT32),
        src_public_cancellation=Seconds((cancellation + gap) % _UINT32),
        dst_withdrawal=Seconds(withdrawal % _UINT32),
        dst_public_withdrawal=Seconds((withdrawal + gap) % _UINT32),
        dst_cancellation=Seconds(dst_cancellation % _UINT32),
        deployed_at=UnixTime(now % _UINT32),
    )


def public_action_digest(domain: Domain, *, order_hash: OrderHash, caller: Address, action: str) -> Hash32:
    """Return what a resolver signs to let `caller` do a public action without the access token.

    `action` is one of SRC_ or DST_ with PUBLIC_WITHDRAW or PUBLIC_CANCEL; the domain's contract is the escrow.
    Source: BaseEscrow of BMN since v2.3; EIP-712.
    """
    struct_hash = keccak(_PUBLIC_ACTION + order_hash + encode_address(caller) + keccak(action.encode()))
    return Hash32(keccak(b"\x19\x01" + domain_separator(domain) + struct_hash))
