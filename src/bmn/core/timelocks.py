"""When each escrow action opens: seven offsets from the time the escrow was made, packed in one word."""

import struct
from dataclasses import dataclass, replace
from enum import IntEnum
from itertools import pairwise
from typing import Self

from bmn.core.errors import BadInput
from bmn.core.units import UINT256_MAX, Seconds, UnixTime

NOT_DEPLOYED = UnixTime(0)
"""`deployed_at` in a signed order."""


class Stage(IntEnum):
    """A moment in the life of a swap; the value is its place in the word."""

    SRC_WITHDRAWAL = 0
    SRC_PUBLIC_WITHDRAWAL = 1
    SRC_CANCELLATION = 2
    SRC_PUBLIC_CANCELLATION = 3
    DST_WITHDRAWAL = 4
    DST_PUBLIC_WITHDRAWAL = 5
    DST_CANCELLATION = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Timelocks:
    """Offsets in seconds from `deployed_at`; every field fits 32 bits.

    Both escrows of a swap carry the same offsets, each with its own `deployed_at`.

    Raises:
        BadInput: a field does not fit 32 bits.
    """

    src_withdrawal: Seconds
    """The taker may claim the maker's tokens with the secret."""
    src_public_withdrawal: Seconds
    """Any holder may do it for the taker."""
    src_cancellation: Seconds
    """Claims end; the taker may give the tokens back to the maker."""
    src_public_cancellation: Seconds
    """Any holder may give them back."""
    dst_withdrawal: Seconds
    """The taker may pay the maker with the secret."""
    dst_public_withdrawal: Seconds
    """Any holder may do it."""
    dst_cancellation: Seconds
    """Payouts end; the taker may take the tokens back."""
    deployed_at: UnixTime = NOT_DEPLOYED
    """Block time of the escrow's creation; zero in a signed order."""

    def __post_init__(self) -> None:
        fields = self._fields()
        if min(fields) < 0 or max(fields) >> 32:
            raise BadInput("BAD_NUMBER", f"timelocks {fields} do not fit 32 bits each")

    def offset(self, stage: Stage) -> Seconds:
        """Return how long after `deployed_at` the stage opens."""
        return Seconds(self._fields()[7 - stage])

    def opens_at(self, stage: Stage) -> UnixTime:
        """Return the chain time from which `stage` is open; may exceed 32 bits, as on chain."""
        return UnixTime(self.deployed_at + self.offset(stage))

    def rescue_opens_at(self, delay: Seconds) -> UnixTime:
        """Return the chain time from which the taker may sweep the escrow; `delay` is the implementation's."""
        return UnixTime(self.deployed_at + delay)

    def deployed(self, at: UnixTime) -> Self:
        """Return the same offsets for an escrow made at `at`; as on chain, bits of `at` above the 32nd are lost."""
        return replace(self, deployed_at=UnixTime(at & 0xFFFF_FFFF))

    def _fields(self) -> tuple[int, int, int, int, int, int, int, int]:
        """In the order of the word, most significant first."""
        return (
            self.deployed_at,
            self.dst_cancellation,
            self.dst_public_withdrawal,
            self.dst_withdrawal,
            self.src_public_cancellation,
            self.src_cancellation,
            self.src_public_withdrawal,
            self.src_withdrawal,
        )


_LAYOUT = struct.Struct(">8I")


def pack_timelocks(timelocks: Timelocks) -> int:
    """Return the word: stage i in bits 32*i..32*i+31, `deployed_at` in bits 224..255.

    Source: TimelocksLib of the escrow contracts.
    """
    return int.from_bytes(_LAYOUT.pack(*timelocks._fields()), "big")


def unpack_timelocks(word: int) -> Timelocks:
    """Read a word; every 256-bit word is some `Timelocks` and packs back to itself.

    Raises:
        BadInput: the word is not an unsigned 256-bit number.
    """
    if not 0 <= word <= UINT256_MAX:
        raise BadInput("BAD_NUMBER", f"timelocks {word} do not fit 256 bits")
    fields = _LAYOUT.unpack(word.to_bytes(32, "big"))
    return Timelocks(
        src_withdrawal=Seconds(fields[7]),
        src_public_withdrawal=Seconds(fields[6]),
        src_cancellation=Seconds(fields[5]),
        src_public_cancellation=Seconds(fields[4]),
        dst_withdrawal=Seconds(fields[3]),
        dst_public_withdrawal=Seconds(fields[2]),
        dst_cancellation=Seconds(fields[1]),
        deployed_at=UnixTime(fields[0]),
    )


def check_timelocks(timelocks: Timelocks) -> None:
    """Refuse offsets whose stages of one side do not follow each other strictly.

    The contracts accept any order; this is the rule of the published SDK. Safety margins between the
    two sides are policy, not checked here.

    Raises:
        BadInput: BAD_TIMELOCKS, naming the two stages.
    """
    for side in (tuple(Stage)[:4], tuple(Stage)[4:]):
        for earlier, later in pairwise(side):
            if timelocks.offset(earlier) >= timelocks.offset(later):
                raise BadInput(
                    "BAD_TIMELOCKS",
                    f"{earlier.name.lower()} ({timelocks.offset(earlier)} s) must come before "
                    f"{later.name.lower()} ({timelocks.offset(later)} s)",
                )
