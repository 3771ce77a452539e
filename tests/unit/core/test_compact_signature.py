import pytest

from bmn.core.compact_signature import CURVE_ORDER, compact_signature, encode_signature, parse_signature
from bmn.core.errors import BadInput

HALF = CURVE_ORDER // 2


def test_the_parity_is_the_top_bit_of_vs() -> None:
    assert compact_signature(r=1, s=2, y_parity=1).vs.word == 1 << 255 | 2
    assert compact_signature(r=1, s=2, y_parity=0).vs.word == 2


def test_a_high_s_is_refused() -> None:
    assert compact_signature(r=1, s=HALF, y_parity=0).s == HALF
    with pytest.raises(BadInput, match="BAD_SIGNATURE"):
        compact_signature(r=1, s=HALF + 1, y_parity=0)


@pytest.mark.parametrize(("r", "s", "parity"), [(0, 1, 0), (CURVE_ORDER, 1, 0), (1, 0, 0), (1, 1, 2)])
def test_values_outside_the_group_are_refused(r: int, s: int, parity: int) -> None:
    with pytest.raises(BadInput, match="BAD_SIGNATURE"):
        compact_signature(r=r, s=s, y_parity=parity)


@pytest.mark.parametrize("v", [0, 27])
def test_reads_both_spellings_of_v(v: int) -> None:
    head = (5).to_bytes(32, "big") + (6).to_bytes(32, "big")
    assert parse_signature(head + bytes((v + 1,))).y_parity == 1
    assert parse_signature(head + bytes((v,))).y_parity == 0


def test_writes_v_as_27_or_28() -> None:
    data = (5).to_bytes(32, "big") + (6).to_bytes(32, "big") + b"\x1c"
    assert encode_signature(parse_signature(data)) == data


@pytest.mark.parametrize("size", [0, 63, 66])
def test_other_lengths_are_refused(size: int) -> None:
    with pytest.raises(BadInput, match="BAD_SIGNATURE"):
        parse_signature(b"\1" * size)


def test_other_values_of_v_are_refused() -> None:
    with pytest.raises(BadInput, match="BAD_SIGNATURE"):
        parse_signature(b"\1" * 64 + b"\x1d")
