"""The contracts of others that ours resemble: which there are, and what each one's code does not check.

Knowing a variant lets us read it. It never lets us trade with it: that is the registry's word
(`bmn.contracts.registry`), and the registry knows no other factory as ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from bmn.core.escrow_address import escrow_address
from bmn.core.immutables import Immutables
from bmn.core.timelocks import Stage
from bmn.core.units import NATIVE, Address, Seconds, UnixTime, Wei


class Variant(StrEnum):
    """A release of the protocol's contracts; the value is its name in the golden vectors."""

    ONE_INCH_V1 = "1inch-v1"
    """What we deploy has this ABI."""
    ONE_INCH_V1_2 = "1inch-v1.2"
    BMN_V1_0 = "bmn-v1.0.0"
    BMN_V1_1 = "bmn-v1.1.0"
    BMN_V2_3 = "bmn-v2.3.0"
    BMN_V3_0 = "bmn-v3.0.2"
    BMN_V4_0 = "bmn-v4.0.0"
    BMN_ORDER_PROTOCOL_V1 = "bmn-lop-v1"
    """A limit order protocol; all others are factories with their escrows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the factory of a variant checks, as far as variants differ."""

    dst_tolerance: Seconds | None
    """How much later than the source the destination may be cancelled; None: not compared."""
    checks_deposit: bool = True
    """Whether a destination escrow must be paid for in full."""
    sets_deployed_at: bool = True
    """Whether the factory writes a destination escrow's `deployed_at`, or believes its creator."""
    guards_post_interaction: bool = True
    """Whether only the order protocol may have tokens of an approving resolver put in an escrow."""


_CAREFUL: Final = Rules(dst_tolerance=Seconds(0))
_TOLERANT: Final = Rules(dst_tolerance=Seconds(300))
_CARELESS: Final = Rules(
    dst_tolerance=None, checks_deposit=False, sets_deployed_at=False, guards_post_interaction=False
)

RULES: Final[Mapping[Variant, Rules]] = MappingProxyType(
    {
        Variant.ONE_INCH_V1: _CAREFUL,
        Variant.ONE_INCH_V1_2: _CAREFUL,
        Variant.BMN_V1_0: _TOLERANT,
        Variant.BMN_V1_1: _TOLERANT,
        Variant.BMN_V2_3: _CARELESS,
        Variant.BMN_V3_0: _CARELESS,
        Variant.BMN_V4_0: replace(_CARELESS, guards_post_interaction=True),
    }
)
"""Of factories. Source: the contracts named in tests/vectors/README.md."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DstEscrow:
    """A destination escrow that a factory would make."""

    immutables: Immutables
    """With the `deployed_at` that it would live by."""
    coins: Wei
    """Native coin it would hold."""


@dataclass(frozen=True, slots=True)
class Reverts:
    """A call that the contract would refuse."""

    error: str
    """Signature of the custom error."""


def evaluate_dst_creation(
    rules: Rules, immutables: Immutables, *, value: Wei, src_cancellation: UnixTime, now: UnixTime
) -> DstEscrow | Reverts:
    """Return what `createDstEscrow` would do in a block of time `now`, given tokens and allowance enough."""
    timelocks = immutables.timelocks.deployed(now) if rules.sets_deployed_at else immutables.timelocks
    born = replace(immutables, timelocks=timelocks)
    if rules.checks_deposit and value != _payouts(born):
        return Reverts("InsufficientEscrowBalance()")
    if (
        rules.dst_tolerance is not None
        and timelocks.opens_at(Stage.DST_CANCELLATION) > src_cancellation + rules.dst_tolerance
    ):
        return Reverts("InvalidCreationTime()")
    return DstEscrow(immutables=born, coins=value)


def evaluate_dst_withdrawal(escrow: DstEscrow) -> Reverts | None:
    """Return why the taker's withdrawal in its window, with the secret, would be refused."""
    return Reverts("NativeTokenSendingFailure()") if escrow.coins < _payouts(escrow.immutables) else None


def evaluate_dst_cancellation(escrow: DstEscrow, now: UnixTime) -> Reverts | None:
    """Return why the taker's cancellation at `now` would be refused."""
    if now < escrow.immutables.timelocks.opens_at(Stage.DST_CANCELLATION):
        return Reverts("InvalidTime()")
    return evaluate_dst_withdrawal(escrow)


def evaluate_trust(
    *, factory: Address, trusted: Address, implementation: Address, immutables: Immutables
) -> Reverts | None:
    """Return why an escrow made by `factory` would refuse its own immutables; None: it accepts them.

    `trusted` is `FACTORY()` of the implementation. When it is not the factory, the escrow expects to be at another
    address than it is, and everything it holds is lost: withdraw, cancel and rescueFunds all ask this.
    """
    actual = escrow_address(factory=factory, implementation=implementation, immutables=immutables)
    expected = escrow_address(factory=trusted, implementation=implementation, immutables=immutables)
    return None if actual == expected else Reverts("InvalidImmutables()")


def _payouts(immutables: Immutables) -> int:
    """Return the native coin that a destination escrow pays out."""
    return immutables.safety_deposit + (immutables.amount if immutables.token == NATIVE else 0)
