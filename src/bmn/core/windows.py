"""Who may call what on an escrow, and when; the same second belongs to the later window."""

from dataclasses import dataclass
from enum import Enum
from typing import assert_never

from bmn.core.errors import InvariantViolation
from bmn.core.timelocks import Stage, Timelocks
from bmn.core.units import Seconds, UnixTime


class Side(Enum):
    """The escrow's side of the swap."""

    SRC = "src"
    DST = "dst"


class Call(Enum):
    """A call that moves value out of an escrow."""

    WITHDRAW = "withdraw"
    WITHDRAW_TO = "withdrawTo"
    PUBLIC_WITHDRAW = "publicWithdraw"
    CANCEL = "cancel"
    PUBLIC_CANCEL = "publicCancel"
    RESCUE = "rescueFunds"


class Role(Enum):
    """Who a call is open to."""

    TAKER = "taker"
    HOLDER = "holder"
    """Anyone with at least one unit of the access token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """When a call is open, by the block time of the escrow's own chain."""

    opens: UnixTime
    """First second in which it is."""
    closes: UnixTime | None
    """First second in which it no longer is; None is never."""

    def is_open(self, at: UnixTime) -> bool:
        """Whether a call in a block of time `at` is inside."""
        return self.opens <= at and (self.closes is None or at < self.closes)


_STAGES: dict[tuple[Side, Call], tuple[Stage, Stage | None]] = {
    (Side.SRC, Call.WITHDRAW): (Stage.SRC_WITHDRAWAL, Stage.SRC_CANCELLATION),
    (Side.SRC, Call.WITHDRAW_TO): (Stage.SRC_WITHDRAWAL, Stage.SRC_CANCELLATION),
    (Side.SRC, Call.PUBLIC_WITHDRAW): (Stage.SRC_PUBLIC_WITHDRAWAL, Stage.SRC_CANCELLATION),
    (Side.SRC, Call.CANCEL): (Stage.SRC_CANCELLATION, None),
    (Side.SRC, Call.PUBLIC_CANCEL): (Stage.SRC_PUBLIC_CANCELLATION, None),
    (Side.DST, Call.WITHDRAW): (Stage.DST_WITHDRAWAL, Stage.DST_CANCELLATION),
    (Side.DST, Call.PUBLIC_WITHDRAW): (Stage.DST_PUBLIC_WITHDRAWAL, Stage.DST_CANCELLATION),
    (Side.DST, Call.CANCEL): (Stage.DST_CANCELLATION, None),
}


def window_of(side: Side, call: Call, timelocks: Timelocks, rescue_delay: Seconds) -> Window:
    """Return when `call` is open; `rescue_delay` is the implementation's RESCUE_DELAY.

    Raises:
        InvariantViolation: that side has no such call.
    """
    if call is Call.RESCUE:
        return Window(opens=timelocks.rescue_opens_at(rescue_delay), closes=None)
    if (side, call) not in _STAGES:
        raise InvariantViolation("NO_SUCH_CALL", f"the {side.value} escrow has no {call.value}")
    opens, closes = _STAGES[side, call]
    return Window(opens=timelocks.opens_at(opens), closes=None if closes is None else timelocks.opens_at(closes))


def role_for(call: Call) -> Role:
    """Return who may make `call`; the maker as such may make none."""
    match call:
        case Call.PUBLIC_WITHDRAW | Call.PUBLIC_CANCEL:
            return Role.HOLDER
        case Call.WITHDRAW | Call.WITHDRAW_TO | Call.CANCEL | Call.RESCUE:
            return Role.TAKER
        case _:
            assert_never(call)


def needs_secret(call: Call) -> bool:
    """Whether `call` carries the secret, which its success makes public."""
    return call in {Call.WITHDRAW, Call.WITHDRAW_TO, Call.PUBLIC_WITHDRAW}
