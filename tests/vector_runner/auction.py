"""Packed auctions and what they make of an amount."""

from tests.vector_runner import read
from tests.vector_runner.cases import Case, Computed, NotChecked

from bmn.core.auction import (
    Auction,
    AuctionPoint,
    auction_making,
    auction_taking,
    decode_auction,
    encode_auction,
    rate_bump_at,
)
from bmn.core.units import Seconds, Wei


def _price(case: Case) -> Computed:
    raw = case.input["auctionDetails"]
    auction = Auction(
        start=read.moment(raw["startTime"]),
        duration=Seconds(int(raw["duration"])),
        initial_rate_bump=int(raw["initialRateBump"]),
        points=tuple(
            AuctionPoint(rate_bump=point["coefficient"], delay=Seconds(point["delay"])) for point in raw["points"]
        ),
        gas_bump_estimate=int(raw["gasBumpEstimate"]),
        gas_price_estimate=int(raw["gasPriceEstimate"]),
    )
    assert decode_auction(encode_auction(auction)) == auction
    bump = rate_bump_at(
        auction, at=read.moment(case.input["blockTimestamp"]), base_fee=Wei(int(case.input["blockBaseFee"]))
    )
    making = read.amount(case.input["order"]["makingAmount"])
    taking = read.amount(case.input["order"]["takingAmount"])
    sdk = NotChecked("the published SDK rounds twice; the chain decides")
    return {
        "encoded": encode_auction(auction),
        "rateBumpSdk": bump,
        "getTakingAmount": auction_taking(
            order_making=making, order_taking=taking, making=read.amount(case.input["makingAmount"]), bump=bump
        ),
        "getMakingAmount": auction_making(
            order_making=making, order_taking=taking, taking=read.amount(case.input["takingAmount"]), bump=bump
        ),
        "sdkTakingAmount": sdk,
        "sdkAgreesWithChain": sdk,
    }


CHECKS = {"plain": _price, "gas-bump": _price}
