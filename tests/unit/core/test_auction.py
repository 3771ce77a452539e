import pytest

from bmn.core.auction import (
    RATE_BASE,
    Auction,
    AuctionPoint,
    auction_making,
    auction_taking,
    decode_auction,
    encode_auction,
    rate_bump_at,
)
from bmn.core.errors import BadInput
from bmn.core.units import Seconds, TokenAmount, UnixTime, Wei

START = UnixTime(1000)
AUCTION = Auction(
    start=START,
    duration=Seconds(100),
    initial_rate_bump=1000,
    points=(AuctionPoint(rate_bump=500, delay=Seconds(20)),),
)


def _bump(after: int, auction: Auction = AUCTION, base_fee: int = 0) -> int:
    return rate_bump_at(auction, at=UnixTime(START + after), base_fee=Wei(base_fee))


def test_the_initial_bump_holds_until_the_start() -> None:
    assert [_bump(after) for after in (-1000, 0, 1)] == [1000, 1000, 975]


def test_a_corner_is_hit_exactly() -> None:
    assert [_bump(after) for after in (19, 20, 21)] == [525, 500, 493]


def test_there_is_no_bump_from_the_end_on() -> None:
    assert [_bump(after) for after in (99, 100, 10**6)] == [6, 0, 0]


def test_an_auction_without_length_has_no_bump_after_its_start() -> None:
    instant = Auction(start=START, duration=Seconds(0), initial_rate_bump=1000)
    assert [_bump(after, instant) for after in (0, 1)] == [1000, 0]


def test_gas_takes_off_the_bump_but_never_below_zero() -> None:
    with_gas = Auction(
        start=START,
        duration=Seconds(100),
        initial_rate_bump=1000,
        gas_bump_estimate=600,
        gas_price_estimate=1,
    )
    assert [_bump(0, with_gas, fee) for fee in (0, 10**6, 2 * 10**6)] == [1000, 400, 0]


def test_gas_counts_only_when_both_estimates_are_set() -> None:
    half = Auction(start=START, duration=Seconds(100), initial_rate_bump=1000, gas_bump_estimate=600)
    assert _bump(0, half, 10**9) == 1000


def test_a_bump_raises_what_the_maker_gets_rounded_up() -> None:
    amounts = {"order_making": TokenAmount(3), "order_taking": TokenAmount(10)}
    assert auction_taking(making=TokenAmount(3), bump=0, **amounts) == 10
    assert auction_taking(making=TokenAmount(3), bump=RATE_BASE // 100, **amounts) == 11
    assert auction_making(taking=TokenAmount(11), bump=RATE_BASE // 100, **amounts) == 3
    assert auction_making(taking=TokenAmount(10), bump=1, **amounts) == 2


@pytest.mark.parametrize("size", [16, 18, 21, 23])
def test_refuses_details_of_another_length(size: int) -> None:
    with pytest.raises(BadInput, match="BAD_AUCTION"):
        decode_auction(bytes(size))


def test_reads_back_what_it_wrote() -> None:
    assert decode_auction(encode_auction(AUCTION)) == AUCTION


def test_refuses_numbers_that_do_not_fit() -> None:
    with pytest.raises(BadInput, match="duration"):
        Auction(start=START, duration=Seconds(2**24), initial_rate_bump=0)
    with pytest.raises(BadInput, match="delay"):
        Auction(
            start=START,
            duration=Seconds(1),
            initial_rate_bump=0,
            points=(AuctionPoint(rate_bump=1, delay=Seconds(2**16)),),
        )
