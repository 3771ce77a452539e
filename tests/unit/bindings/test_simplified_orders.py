from dataclasses import replace

import pytest

from bmn.bindings.simplified_orders import SimplifiedTerms, decode_simplified_terms, simplified_timelocks
from bmn.bindings.variants import Variant
from bmn.core.errors import BadInput
from bmn.core.timelocks import Stage
from bmn.core.units import Address, ChainId, Hashlock, UnixTime, Wei
from bmn.core.words import encode_address, encode_uint

NOW = UnixTime(1_800_000_000)
TOKEN = Address(b"\x0c" * 20)
TERMS = SimplifiedTerms(
    hashlock=Hashlock(b"\x0d" * 32),
    dst_chain_id=ChainId(10),
    dst_token=TOKEN,
    src_safety_deposit=Wei(7),
    dst_safety_deposit=Wei(9),
    src_cancellation_at=UnixTime(NOW + 1000),
    dst_withdrawal_at=UnixTime(NOW + 40),
)
WORDS = b"".join(
    (
        TERMS.hashlock,
        encode_uint(10),
        encode_address(TOKEN),
        encode_uint(9 << 128 | 7),
        encode_uint((NOW + 1000) << 128 | (NOW + 40)),
    )
)


def _offsets(variant: Variant, terms: SimplifiedTerms = TERMS) -> list[int]:
    timelocks = simplified_timelocks(variant, terms, NOW)
    assert timelocks.deployed_at == NOW
    return [timelocks.offset(stage) for stage in Stage]


def test_the_destinations_deposit_is_the_high_half() -> None:
    assert decode_simplified_terms(WORDS) == TERMS


@pytest.mark.parametrize("data", [b"", WORDS[:-1], WORDS + b"\0", WORDS[:64] + b"\1" + WORDS[65:]])
def test_other_extra_data_is_refused(data: bytes) -> None:
    with pytest.raises(BadInput):
        decode_simplified_terms(data)


def test_moments_become_offsets() -> None:
    assert _offsets(Variant.BMN_V2_3) == [300, 600, 1000, 1300, 40, 340, 7200]
    assert _offsets(Variant.BMN_V3_0) == [0, 60, 1000, 1060, 40, 100, 1000]
    assert _offsets(Variant.BMN_V4_0) == [0, 60, 1000, 1060, 40, 100, 1000]


@pytest.mark.parametrize("variant", [Variant.BMN_V3_0, Variant.BMN_V4_0])
@pytest.mark.parametrize("ahead", [1, 0, -1])
def test_later_factories_want_moments_in_the_future(variant: Variant, ahead: int) -> None:
    moment = UnixTime(NOW + ahead)
    for terms in (replace(TERMS, src_cancellation_at=moment), replace(TERMS, dst_withdrawal_at=moment)):
        if ahead > 0:
            assert ahead in _offsets(variant, terms)
        else:
            with pytest.raises(BadInput, match="PAST_TIMES"):
                _offsets(variant, terms)


def test_v2_3_wraps_moments_in_the_past() -> None:
    assert _offsets(Variant.BMN_V2_3, replace(TERMS, dst_withdrawal_at=UnixTime(NOW - 1)))[4:6] == [2**32 - 1, 299]


@pytest.mark.parametrize("variant", [Variant.ONE_INCH_V1, Variant.ONE_INCH_V1_2, Variant.BMN_V1_0, Variant.BMN_V1_1])
def test_other_variants_have_no_such_orders(variant: Variant) -> None:
    with pytest.raises(BadInput, match="NOT_SIMPLIFIED"):
        _offsets(variant)
