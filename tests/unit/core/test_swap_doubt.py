"""Why a swap waits or ends before it began, and when it is looked at again."""

from dataclasses import replace

import pytest
from tests.support.swap_facts import FACTS, LOCKED_AT, POLICY, SRC_LIVE, a_time

from bmn.core.facts import ChainTimes, Facts, Intents, IntentState, Refusal
from bmn.core.swap import State, decide


@pytest.mark.parametrize("facts", [FACTS, SRC_LIVE], ids=["before_fill", "before_lock"])
def test_doubt_about_a_clock_is_looked_at_again_with_the_next_block(facts: Facts) -> None:
    now = ChainTimes(src=a_time(LOCKED_AT), dst=a_time(LOCKED_AT, fresh=False))
    decision = decide(facts, now, POLICY)
    assert (decision.actions, decision.reason) == ((), "CHAIN_STALE")
    assert decision.wake_src == LOCKED_AT + 1


@pytest.mark.parametrize("fill", [IntentState.NONE, IntentState.DEAD])
def test_an_order_filled_for_another_taker_ends_with_that_reason(fill: IntentState) -> None:
    facts = replace(
        FACTS,
        order=replace(FACTS.order, gone=True),
        intents=Intents(fill=fill),
        refusal=Refusal.WRONG_TAKER,
    )
    decision = decide(facts, ChainTimes(src=a_time(LOCKED_AT), dst=a_time(LOCKED_AT)), POLICY)
    assert (decision.state, decision.actions, decision.reason) == (State.ORDER_GONE, (), "WRONG_TAKER")
