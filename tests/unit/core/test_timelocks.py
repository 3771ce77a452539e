from dataclasses import replace
from typing import Any

import pytest
from tests.support.swap_values import TIMELOCKS

from bmn.core.errors import BadInput
from bmn.core.timelocks import Stage, Timelocks, check_timelocks, pack_timelocks, unpack_timelocks
from bmn.core.units import Seconds, UnixTime

LAST = 2**32 - 1


def test_stage_i_has_bits_32_i_and_birth_the_highest() -> None:
    for stage in Stage:
        assert unpack_timelocks(1 << 32 * stage).offset(stage) == 1
        assert pack_timelocks(unpack_timelocks(5 << 32 * stage)) == 5 << 32 * stage
    assert unpack_timelocks(1 << 224).deployed_at == 1


def test_offset_and_field_of_a_stage_are_the_same() -> None:
    assert [TIMELOCKS.offset(stage) for stage in Stage] == [10, 120, 240, 360, 10, 100, 200]
    assert [getattr(TIMELOCKS, stage.name.lower()) for stage in Stage] == [TIMELOCKS.offset(stage) for stage in Stage]


def test_a_stage_may_open_after_the_32_bit_era() -> None:
    late = replace(TIMELOCKS, src_withdrawal=Seconds(LAST), deployed_at=UnixTime(LAST))
    assert late.opens_at(Stage.SRC_WITHDRAWAL) == 2 * LAST


@pytest.mark.parametrize("value", [-1, LAST + 1])
@pytest.mark.parametrize("field", Timelocks.__slots__)
def test_refuses_fields_beyond_32_bits(field: str, value: int) -> None:
    change: dict[str, Any] = {field: value}
    with pytest.raises(BadInput):
        replace(TIMELOCKS, **change)


def test_accepts_the_last_32_bit_value() -> None:
    assert unpack_timelocks(2**256 - 1).dst_cancellation == LAST


@pytest.mark.parametrize("word", [-1, 2**256])
def test_refuses_words_beyond_256_bits(word: int) -> None:
    with pytest.raises(BadInput):
        unpack_timelocks(word)


def test_birth_loses_bits_above_the_32nd_as_on_chain() -> None:
    assert TIMELOCKS.deployed(UnixTime(2**32 + 5)).deployed_at == 5


def test_accepts_strictly_ordered_stages() -> None:
    check_timelocks(TIMELOCKS)


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("src_withdrawal", "src_public_withdrawal"),
        ("src_public_withdrawal", "src_cancellation"),
        ("src_cancellation", "src_public_cancellation"),
        ("dst_withdrawal", "dst_public_withdrawal"),
        ("dst_public_withdrawal", "dst_cancellation"),
    ],
)
def test_refuses_stages_that_open_together(earlier: str, later: str) -> None:
    opening = getattr(TIMELOCKS, later)
    check_timelocks(replace(TIMELOCKS, **{earlier: opening - 1}))
    with pytest.raises(BadInput, match="BAD_TIMELOCKS"):
        check_timelocks(replace(TIMELOCKS, **{earlier: opening}))


def test_does_not_compare_the_two_sides() -> None:
    check_timelocks(replace(TIMELOCKS, dst_cancellation=Seconds(10_000)))
