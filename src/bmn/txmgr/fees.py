"""What a transaction offers for inclusion: at first, and when it has waited too long. Pure."""

from dataclasses import dataclass

from bmn.core.units import BlockNumber, Gas, Wei
from bmn.evm.types import Fees, Head
from bmn.store.txs import Attempt

_FALLBACK_GAS = Gas(600_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeePolicy:
    """What the operator allows on one chain."""

    max_fee_per_gas: Wei
    """Never offered more per unit of gas; a self-transfer that frees a nonce may go to twice that."""
    bump_percent: int = 15
    """Raise of both prices; nodes refuse a replacement below 10 %, some at exactly that."""
    bump_after_blocks: int = 2
    """Age at which a transaction is replaced, in blocks since it was signed."""
    max_in_flight: int = 64
    """Open nonces of one lane; claims and payouts may go to twice that."""
    fallback_gas: Gas = _FALLBACK_GAS
    """Limit for a cancel whose estimate reverts: it is sent all the same."""


def first_fees(market: Fees, policy: FeePolicy) -> Fees:
    """Return the market's prices, cut to the cap."""
    return _cut(market, policy.max_fee_per_gas)


def bumped_fees(last: Fees, market: Fees, policy: FeePolicy, *, is_cancel: bool) -> Fees | None:
    """Return prices that replace `last` and are at least the market's; None when the cap leaves no room for a raise."""
    cap = policy.max_fee_per_gas * (2 if is_cancel else 1)
    least_max = _raised(last.max_fee_per_gas, policy)
    least_tip = _raised(last.max_priority_fee_per_gas, policy)
    if least_max > cap:
        return None
    wanted = Fees(
        max_fee_per_gas=Wei(max(least_max, market.max_fee_per_gas)),
        max_priority_fee_per_gas=Wei(max(least_tip, market.max_priority_fee_per_gas)),
    )
    return _cut(wanted, Wei(cap))


def is_overdue(last: Attempt, head: Head, policy: FeePolicy) -> bool:
    """Whether `last` has waited long enough for a raise; one that the base fee has outrun waits no second block."""
    age = BlockNumber(head.number - last.signed_at)
    return age >= policy.bump_after_blocks or (age >= 1 and last.fees.max_fee_per_gas < head.base_fee)


def _raised(price: Wei, policy: FeePolicy) -> int:
    """Rounded up, and at least by one, so that no node's own rounding makes it too small."""
    return -(-price * (100 + policy.bump_percent) // 100) + 1


def _cut(fees: Fees, cap: Wei) -> Fees:
    most = min(fees.max_fee_per_gas, cap)
    return Fees(max_fee_per_gas=most, max_priority_fee_per_gas=min(fees.max_priority_fee_per_gas, most))
