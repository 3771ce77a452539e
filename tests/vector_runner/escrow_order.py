"""Whole escrow orders, built from their parameters and read back."""

from typing import Any

from tests.vector_runner import read
from tests.vector_runner.cases import Case, Computed
from tests.vector_runner.extension import show_extension

from bmn.core.auction import Auction, AuctionPoint
from bmn.core.eip712 import Domain, order_hash
from bmn.core.escrow_order import (
    EscrowOrder,
    ExtraDataArgs,
    FillKind,
    PostInteraction,
    WhitelistEntry,
    build_escrow_order,
    encode_post_interaction,
    pack_deposits,
    parse_escrow_order,
    whitelist_allows,
)
from bmn.core.extension import decode_extension
from bmn.core.timelocks import pack_timelocks, unpack_timelocks
from bmn.core.traits import low_80_bits
from bmn.core.units import Address, ChainId, Hash32, Seconds, UnixTime, Wei

_ROUTER = Address.from_hex("0x111111125421ca6dc452d289314280a0f8842a65")
_SDK_NOOP_TOKEN = Address.from_hex("0xda0000d4000015a526378bb6fafc650cea5966f8")
_SDK_EXPIRY_DELAY = 12


def _order(case: Case) -> Computed:
    raw = case.input
    # The published SDK chose timelocks and expiration (12 s after the auction); the file lists neither as input.
    terms = EscrowOrder(
        kind=FillKind.MULTI if raw["allowMultipleFills"] else FillKind.SINGLE,
        maker=read.address(raw["maker"]),
        receiver=read.address(raw["receiver"]),
        maker_asset=read.address(raw["makerAsset"]),
        taker_asset=_SDK_NOOP_TOKEN,
        making_amount=read.amount(raw["makingAmount"]),
        taking_amount=read.amount(raw["takingAmount"]),
        post_interaction=PostInteraction(
            factory=read.address(raw["factory"]),
            resolving_start=read.moment(raw["resolvingStartTime"]),
            whitelist=_whitelist(raw),
            extra=ExtraDataArgs(
                hashlock_info=Hash32(read.data(raw["hashlockInfo"])),
                dst_chain_id=ChainId(raw["dstChainId"]),
                dst_token=read.address(raw["takerAsset"]),
                src_safety_deposit=Wei(int(raw["srcSafetyDeposit"])),
                dst_safety_deposit=Wei(int(raw["dstSafetyDeposit"])),
                timelocks=unpack_timelocks(int(case.expected["timelocks"])),
            ),
        ),
        auction=_auction(raw["auction"]),
        salt_base=int(raw["saltBase"]),
        nonce=int(raw["nonce"]),
        expiration=UnixTime(int(raw["auction"]["startTime"]) + int(raw["auction"]["duration"]) + _SDK_EXPIRY_DELAY),
    )
    assert raw["allowPartialFills"] == raw["allowMultipleFills"]
    order, extension = build_escrow_order(terms)
    seen = parse_escrow_order(order, extension)
    assert seen == terms
    extra = seen.post_interaction.extra
    deposits = pack_deposits(extra.src_safety_deposit, extra.dst_safety_deposit)
    domain = Domain(
        name="1inch Aggregation Router",
        version="6",
        chain_id=ChainId(raw["srcChainId"]),
        verifying_contract=_ROUTER,
    )
    return {
        "timelocks": pack_timelocks(extra.timelocks),
        "extension": extension,
        "extensionFields": show_extension(decode_extension(extension)),
        "postInteraction": encode_post_interaction(seen.post_interaction),
        "order": read.show_order(order),
        "orderHashRouterV6": order_hash(domain, order),
        "makerTraits": order.maker_traits,
        "decoded": {
            "hashlockInfo": extra.hashlock_info,
            "dstChainId": extra.dst_chain_id,
            "dstToken": extra.dst_token,
            "srcSafetyDeposit": extra.src_safety_deposit,
            "dstSafetyDeposit": extra.dst_safety_deposit,
            "timelocks": pack_timelocks(extra.timelocks),
            "resolvingStartTime": seen.post_interaction.resolving_start,
            "whitelist": [
                {"addressHalf": f"{entry.low_bits:020x}", "delay": entry.delay}
                for entry in seen.post_interaction.whitelist
            ],
            # An order with a resolver fee is not parsed at all.
            "bankFee": 0,
        },
        "depositsWord": deposits,
        "canExecuteAt": [
            {
                "executor": question["executor"],
                "time": question["time"],
                "allowed": whitelist_allows(
                    seen.post_interaction, read.address(question["executor"]), read.moment(question["time"])
                ),
            }
            for question in case.expected["canExecuteAt"]
        ],
        "receiverInOrder": order.receiver,
    }


def _whitelist(raw: Any) -> tuple[WhitelistEntry, ...]:
    """Absolute times, in any order, to delays that add up from the start."""
    entries, before = [], int(raw["resolvingStartTime"])
    for entry in sorted(raw["whitelist"], key=lambda entry: int(entry["allowFrom"])):
        allowed = max(int(entry["allowFrom"]), before)
        entries.append(
            WhitelistEntry(low_bits=low_80_bits(read.address(entry["address"])), delay=Seconds(allowed - before))
        )
        before = allowed
    return tuple(entries)


def _auction(raw: Any) -> Auction:
    return Auction(
        start=read.moment(raw["startTime"]),
        duration=Seconds(int(raw["duration"])),
        initial_rate_bump=raw["initialRateBump"],
        points=tuple(
            AuctionPoint(rate_bump=point["coefficient"], delay=Seconds(point["delay"])) for point in raw["points"]
        ),
    )


CHECKS = {"single-fill": _order, "multi-fill": _order}
