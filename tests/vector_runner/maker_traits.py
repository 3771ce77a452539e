"""The maker's option word."""

from tests.vector_runner import read
from tests.vector_runner.cases import Case, Computed

from bmn.core.traits import MakerTraits, low_80_bits, pack_maker_traits, unpack_maker_traits


def _maker(case: Case) -> Computed:
    raw = case.input
    sender = read.address(raw["allowedSender"])
    traits = MakerTraits(
        no_partial_fills=not raw["partialFills"],
        allow_multiple_fills=raw["multipleFills"],
        pre_interaction=raw["preInteraction"],
        post_interaction=raw["postInteraction"],
        check_epoch=raw["epoch"],
        has_extension=raw["extension"],
        use_permit2=raw["permit2"],
        unwrap_weth=raw["unwrapNative"],
        series=int(raw["series"] or 0),
        nonce=int(raw["nonceOrEpoch"] or 0),
        expiration=read.moment(raw["expiration"] or 0),
        allowed_sender=low_80_bits(sender),
    )
    word = pack_maker_traits(traits)
    seen = unpack_maker_traits(word)
    assert seen == traits
    other = case.expected["onchain"]["otherSender"]
    return {
        "value": word,
        "valueHex": word.to_bytes(32, "big"),
        "onchain": {
            "hasExtension": seen.has_extension,
            "allowedSenderAccepted": seen.allows_sender(sender),
            "otherSenderAccepted": seen.allows_sender(read.address(other)),
            "otherSender": other,
            "allowPartialFills": not seen.no_partial_fills,
            "allowMultipleFills": seen.allow_multiple_fills,
            "needPreInteraction": seen.pre_interaction,
            "needPostInteraction": seen.post_interaction,
            "useBitInvalidator": seen.uses_bit_invalidator,
            "needCheckEpochManager": seen.check_epoch,
            "usePermit2": seen.use_permit2,
            "unwrapWeth": seen.unwrap_weth,
            "nonceOrEpoch": seen.nonce,
            "series": seen.series,
            "expiration": seen.expiration or None,
            "isBitInvalidatorModeSdk": seen.uses_bit_invalidator,
        },
    }


CHECKS = {"maker": _maker}
