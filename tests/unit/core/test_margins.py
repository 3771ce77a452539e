from dataclasses import fields, replace

import pytest
from tests.support.swap_facts import MARGINS

from bmn.core.margins import ChainTiming, Margins
from bmn.core.units import Seconds

SRC = ChainTiming(block_time=Seconds(2), depth=7, inclusion=Seconds(100), outage=Seconds(10_000))
DST = ChainTiming(block_time=Seconds(3), depth=11, inclusion=Seconds(1_000), outage=Seconds(100_000))
M = replace(MARGINS, src=SRC, dst=DST, detect=Seconds(1), recovery=Seconds(4), skew=Seconds(1_000_000))


def test_finality_is_depth_times_block_time() -> None:
    assert (SRC.finality, DST.finality) == (14, 33)


def test_required_is_the_sum_of_every_fault_we_plan_for() -> None:
    assert M.required == 1 + 4 + 2 * 100 + 14 + 10_000 + 33 + 100_000 + 1_000_000


def test_pay_budget_is_two_inclusions_and_finality_of_the_destination() -> None:
    assert M.pay_budget == 2 * 1_000 + 33


def test_fill_to_lock_is_source_finality_one_block_and_one_inclusion() -> None:
    assert M.fill_to_lock == 14 + 2 + 1_000


@pytest.mark.parametrize("name", ["detect", "recovery", "skew"])
def test_a_second_more_of_any_fault_is_a_second_more_of_margin(name: str) -> None:
    longer: Margins = replace(M, **{name: getattr(M, name) + 1})
    assert longer.required == M.required + 1


@pytest.mark.parametrize("side", ["src", "dst"])
@pytest.mark.parametrize("name", [field.name for field in fields(ChainTiming)])
def test_no_fault_of_a_chain_makes_a_margin_smaller(side: str, name: str) -> None:
    timing = getattr(M, side)
    worse: Margins = replace(M, **{side: replace(timing, **{name: getattr(timing, name) + 1})})
    assert worse.required >= M.required
    assert worse.pay_budget >= M.pay_budget
    assert worse.fill_to_lock >= M.fill_to_lock
    assert (worse.required, worse.pay_budget, worse.fill_to_lock) != (M.required, M.pay_budget, M.fill_to_lock)


@pytest.mark.parametrize("side", ["src", "dst"])
def test_an_outage_of_either_chain_counts(side: str) -> None:
    stalled: Margins = replace(M, **{side: replace(getattr(M, side), outage=getattr(M, side).outage + 60)})
    assert stalled.required == M.required + 60
