"""Budget, width and preference of endpoints: each rule on both sides of its bound."""

import pytest

from bmn.evm.budget import UNLIMITED, Budget, Spending, is_day_spent, pause_before, spend
from bmn.evm.preference import (
    HALF_LIFE,
    HEDGE_LEAST,
    HEDGE_SAMPLES,
    HEDGE_UNKNOWN,
    LAG_COST,
    WORSE_MARGIN,
    Figures,
    cost_of,
    hedge_after,
    smooth,
    stands_back,
)
from bmn.evm.width import (
    SLOW_FACTOR,
    SLOW_FLOOR,
    WIDTH_LEAST,
    WIDTH_MOST,
    is_slow,
    width_after_answer,
    width_after_refusal,
)

DAY = 86_400.0


def after(budget: Budget, *calls: int, now: float = 0.0) -> Spending:
    spending = Spending()
    for each in calls:
        spending = spend(budget, spending, each, now=now, utc=DAY)
    return spending


def test_without_a_budget_nothing_waits() -> None:
    spending = after(UNLIMITED, 10_000_000)
    assert pause_before(UNLIMITED, spending, 0.0) == 0.0
    assert not is_day_spent(UNLIMITED, spending, DAY)


def test_one_seconds_worth_goes_at_once_and_the_next_call_waits_its_share() -> None:
    budget = Budget(per_second=4.0)
    assert pause_before(budget, after(budget, 1, 1, 1), 0.0) == 0.0
    assert pause_before(budget, after(budget, 1, 1, 1, 1), 0.0) == 0.25
    assert pause_before(budget, after(budget, 1, 1, 1, 1), 0.25) == 0.0


def test_a_batch_is_paid_for_by_those_after_it() -> None:
    budget = Budget(per_second=10.0)
    assert pause_before(budget, after(budget, 30), 0.0) == pytest.approx(2.1)


def test_saving_stops_at_one_seconds_worth() -> None:
    budget = Budget(per_second=10.0)
    spending = spend(budget, after(budget, 10), 10, now=1000.0, utc=DAY)
    assert pause_before(budget, spending, 1000.0) == pytest.approx(0.1)


def test_less_than_one_call_a_second_lets_one_call_through() -> None:
    budget = Budget(per_second=0.5)
    assert pause_before(budget, Spending(), 0.0) == 0.0
    assert pause_before(budget, after(budget, 1), 0.0) == 2.0


def test_a_day_is_spent_at_its_last_call_and_new_at_midnight() -> None:
    budget = Budget(per_day=3)
    assert not is_day_spent(budget, after(budget, 1, 1), DAY)
    spending = after(budget, 1, 1, 1)
    assert is_day_spent(budget, spending, 2 * DAY - 1)
    assert not is_day_spent(budget, spending, 2 * DAY)
    assert spend(budget, spending, 1, now=0.0, utc=2 * DAY).used == 1


def test_an_answer_is_slow_only_well_past_the_quickest_and_past_our_own_noise() -> None:
    assert not is_slow(SLOW_FLOOR, 0.001)
    assert is_slow(SLOW_FLOOR + 0.001, 0.001)
    assert not is_slow(SLOW_FACTOR * 0.1, 0.1)
    assert is_slow(SLOW_FACTOR * 0.1 + 0.001, 0.1)


def test_the_width_grows_by_one_a_round_and_only_while_it_is_full() -> None:
    assert width_after_answer(8.0, in_flight=7, slow=False) == 8.0
    width = 8.0
    for _ in range(9):
        width = width_after_answer(width, in_flight=9, slow=False)
    assert 9.0 <= width < 9.2
    assert width_after_answer(WIDTH_MOST, in_flight=64, slow=False) == WIDTH_MOST


def test_the_width_shrinks_when_the_endpoint_slows_or_refuses_but_never_to_nothing() -> None:
    assert width_after_answer(10.0, in_flight=1, slow=True) == 9.0
    assert width_after_refusal(10.0) == 5.0
    assert width_after_answer(WIDTH_LEAST, in_flight=1, slow=True) == WIDTH_LEAST
    assert width_after_refusal(WIDTH_LEAST) == WIDTH_LEAST


def test_the_owners_order_stands_until_an_endpoint_is_far_worse_than_the_best() -> None:
    assert stands_back([2 * 0.3 + WORSE_MARGIN, 0.3]) == (False, False)
    assert stands_back([2 * 0.3 + WORSE_MARGIN + 0.001, 0.3]) == (True, False)
    assert stands_back([9.0]) == (False,)
    assert stands_back([]) == ()


def test_a_lag_of_two_blocks_outweighs_a_tenth_of_a_second_and_one_block_nothing() -> None:
    level = cost_of(Figures(seconds=0.1), 0.0)
    assert cost_of(Figures(lag=1), 0.0) == 0.0
    assert cost_of(Figures(lag=2), 0.0) == LAG_COST
    assert stands_back([LAG_COST, level]) == (True, False)


def test_what_is_long_ago_counts_little() -> None:
    figures = Figures(seconds=1.0, errors=0.5, at=100.0)
    assert cost_of(figures, 100.0 + HALF_LIFE) == pytest.approx(cost_of(figures, 100.0) / 2)
    assert not any(stands_back([cost_of(figures, 100.0 + 5 * HALF_LIFE), 0.0]))


def test_a_smoothed_figure_leans_an_eighth_to_the_newest() -> None:
    assert smooth(0.0, 1.0) == 0.125
    assert smooth(1.0, 1.0) == 1.0


def test_a_second_endpoint_is_asked_at_the_95th_percentile_of_the_first() -> None:
    samples = [number / 100 for number in range(100)]
    assert hedge_after(samples) == 0.95
    assert hedge_after([0.0001] * 100) == HEDGE_LEAST
    assert hedge_after(samples[: HEDGE_SAMPLES - 1]) == HEDGE_UNKNOWN
    assert hedge_after([0.5] * HEDGE_SAMPLES) == 0.5
