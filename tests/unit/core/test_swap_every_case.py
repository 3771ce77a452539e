"""Every combination of facts with every boundary of time, against the laws of `swap_laws`."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice

import pytest
from tests.support.swap_facts import POLICY, before_fill, before_lock, both_there, contradicts, source_gone
from tests.support.swap_laws import check_laws

from bmn.core.errors import InvariantViolation
from bmn.core.facts import ChainTimes, Facts
from bmn.core.swap import Action, Policy, State, decide

Cases = Callable[[], Iterator[tuple[Facts, ChainTimes]]]
PAUSED = replace(POLICY, accepting=False)


def stale(now: ChainTimes) -> ChainTimes:
    return ChainTimes(src=now.src, dst=replace(now.dst, fresh=False))


@pytest.mark.parametrize("cases", [before_fill, before_lock, source_gone, both_there])
def test_every_decision_keeps_the_laws(cases: Cases) -> None:
    for facts, now in cases():
        try:
            decision = decide(facts, now, POLICY)
        except InvariantViolation:
            assert contradicts(facts), (facts, now)
            continue
        assert not contradicts(facts)
        try:
            check_laws(facts, now, POLICY, decision)
        except AssertionError as broken:
            pytest.fail(f"{broken}\n{decision}\n{facts}\n{now}")


@pytest.mark.parametrize("policy", [POLICY, PAUSED])
@pytest.mark.parametrize("cases", [before_fill, before_lock])
def test_pause_and_doubt_keep_the_laws(cases: Cases, policy: Policy) -> None:
    for facts, now in cases():
        if contradicts(facts):
            continue
        doubtful = stale(now)
        check_laws(facts, doubtful, policy, decide(facts, doubtful, policy))


def test_pause_and_doubt_stop_nothing_once_both_escrows_are_there() -> None:
    for facts, now in islice(both_there(), 0, None, 11):
        if not contradicts(facts):
            assert decide(facts, now, POLICY) == decide(facts, stale(now), PAUSED)


def test_every_state_and_action_is_reached() -> None:
    states, actions = set(State), set(Action)
    for cases in (before_fill, before_lock, source_gone, both_there):
        for facts, now in cases():
            if not (states or actions):
                return
            if not contradicts(facts):
                decision = decide(facts, now, PAUSED if facts.src is None else POLICY)
                states.discard(decision.state)
                actions.difference_update(decision.actions)
    assert not states
    assert not actions
