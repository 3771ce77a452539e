"""The taker's option word and the bytes that go with it."""

from tests.vector_runner import read
from tests.vector_runner.cases import Case, Computed

from bmn.core.traits import (
    TakerArgs,
    decode_taker_args,
    encode_taker_args,
    pack_taker_traits,
    taker_traits_for,
    unpack_taker_traits,
)


def _taker(case: Case) -> Computed:
    raw = case.input
    args = TakerArgs(
        target=None if raw["receiver"] is None else read.address(raw["receiver"]),
        extension=read.data(raw["extension"]),
        interaction=read.data(raw["interaction"]),
    )
    traits = taker_traits_for(
        args,
        is_making_amount={"maker": True, "taker": False}[raw["amountMode"]],
        threshold=read.amount(raw["threshold"] or 0),
        unwrap_weth=raw["unwrapNative"],
        skip_maker_permit=raw["skipOrderPermit"],
        use_permit2=raw["permit2"],
    )
    word = pack_taker_traits(traits)
    seen = unpack_taker_traits(word)
    assert seen == traits
    assert decode_taker_args(seen, encode_taker_args(args)) == args
    return {
        "trait": word,
        "traitHex": word.to_bytes(32, "big"),
        "args": encode_taker_args(args),
        "onchain": {
            "isMakingAmount": seen.is_making_amount,
            "unwrapWeth": seen.unwrap_weth,
            "skipMakerPermit": seen.skip_maker_permit,
            "usePermit2": seen.use_permit2,
            "argsHasTarget": seen.has_target,
            "extensionLength": seen.extension_length,
            "interactionLength": seen.interaction_length,
            "threshold": seen.threshold,
        },
    }


CHECKS = {"taker": _taker}
