"""The price of an order that falls with time: auction details in the amount fields of the extension."""

import struct
from dataclasses import dataclass

from bmn.core.errors import BadInput
from bmn.core.units import Seconds, TokenAmount, UnixTime, Wei
from bmn.core.words import check_bits

RATE_BASE = 10_000_000
"""Rate bumps count in 1/10,000,000 of the price."""
_GAS_BASE = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class AuctionPoint:
    """A corner of the price curve."""

    rate_bump: int
    """Bump at this corner (24 bits)."""
    delay: Seconds
    """After the corner before (16 bits)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Auction:
    """A price that starts `initial_rate_bump` higher and falls to the order's own price.

    Raises:
        BadInput: a number does not fit its field.
    """

    start: UnixTime
    """Until then the initial bump holds (32 bits)."""
    duration: Seconds
    """Afterwards there is no bump (24 bits)."""
    initial_rate_bump: int
    """24 bits."""
    points: tuple[AuctionPoint, ...] = ()
    """Corners in between; straight lines join them."""
    gas_bump_estimate: int = 0
    """Bump taken off when the base fee equals `gas_price_estimate` thousand wei (24 bits); 0 switches it off."""
    gas_price_estimate: int = 0
    """In 1000 wei (32 bits); 0 switches it off."""

    def __post_init__(self) -> None:
        check_bits("start", self.start, 32)
        check_bits("duration", self.duration, 24)
        check_bits("initial_rate_bump", self.initial_rate_bump, 24)
        check_bits("gas_bump_estimate", self.gas_bump_estimate, 24)
        check_bits("gas_price_estimate", self.gas_price_estimate, 32)
        for point in self.points:
            check_bits("rate_bump", point.rate_bump, 24)
            check_bits("delay", point.delay, 16)


def encode_auction(auction: Auction) -> bytes:
    """Return gas bump (3 bytes), gas price (4), start (4), duration (3), bump (3), then bump (3), delay (2) each."""
    return b"".join(
        (
            auction.gas_bump_estimate.to_bytes(3, "big"),
            struct.pack(">II", auction.gas_price_estimate, auction.start),
            auction.duration.to_bytes(3, "big"),
            auction.initial_rate_bump.to_bytes(3, "big"),
            *(point.rate_bump.to_bytes(3, "big") + point.delay.to_bytes(2, "big") for point in auction.points),
        )
    )


def decode_auction(data: bytes) -> Auction:
    """Read auction details, without the 20-byte address of the contract in front.

    Raises:
        BadInput: shorter than its head, or a corner is cut.
    """
    if len(data) < 17 or (len(data) - 17) % 5:
        raise BadInput("BAD_AUCTION", f"{len(data)} bytes are no auction details")

    def number(start: int, end: int) -> int:
        return int.from_bytes(data[start:end], "big")

    return Auction(
        gas_bump_estimate=number(0, 3),
        gas_price_estimate=number(3, 7),
        start=UnixTime(number(7, 11)),
        duration=Seconds(number(11, 14)),
        initial_rate_bump=number(14, 17),
        points=tuple(
            AuctionPoint(rate_bump=number(at, at + 3), delay=Seconds(number(at + 3, at + 5)))
            for at in range(17, len(data), 5)
        ),
    )


def rate_bump_at(auction: Auction, *, at: UnixTime, base_fee: Wei) -> int:
    """Return the bump in a block of time `at`: the curve less the gas bump, rounded as on chain, never negative.

    Source: BaseExtension of limit-order-settlement.
    """
    bump = _curve_at(auction, at)
    if auction.gas_bump_estimate and auction.gas_price_estimate:
        gas_bump = auction.gas_bump_estimate * base_fee // auction.gas_price_estimate // _GAS_BASE
        return max(bump - gas_bump, 0)
    return bump


def auction_taking(
    *, order_making: TokenAmount, order_taking: TokenAmount, making: TokenAmount, bump: int
) -> TokenAmount:
    """Return what the taker owes for `making`, rounded up, in favour of the maker."""
    return TokenAmount(-(-order_taking * making * (RATE_BASE + bump) // (order_making * RATE_BASE)))


def auction_making(
    *, order_making: TokenAmount, order_taking: TokenAmount, taking: TokenAmount, bump: int
) -> TokenAmount:
    """Return what the taker gets for `taking`, rounded down, in favour of the maker."""
    return TokenAmount(order_making * taking * RATE_BASE // (order_taking * (RATE_BASE + bump)))


def _curve_at(auction: Auction, at: UnixTime) -> int:
    end = auction.start + auction.duration
    if at <= auction.start:
        return auction.initial_rate_bump
    if at >= end:
        return 0
    left_time, left_bump = int(auction.start), auction.initial_rate_bump
    for point in auction.points:
        right_time = left_time + point.delay
        if at <= right_time:
            return _between(at, left_time, left_bump, right_time, point.rate_bump)
        left_time, left_bump = right_time, point.rate_bump
    return _between(at, left_time, left_bump, end, 0)


def _between(at: int, left_time: int, left_bump: int, right_time: int, right_bump: int) -> int:
    return ((at - left_time) * right_bump + (right_time - at) * left_bump) // (right_time - left_time)
