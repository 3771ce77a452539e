"""Which state may follow which, proven against everything that the decision can answer."""

from collections.abc import Iterator
from itertools import chain, islice, product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.property.core.test_swap_laws import CASES, POLICIES, TIMES
from tests.support.swap_facts import POLICY, before_fill, before_lock, both_there, contradicts, source_gone, withdrawn

from bmn.core.facts import ChainTimes, Facts, SecretState
from bmn.core.moves import may_follow
from bmn.core.swap import Policy, State, decide

_STRIDE = 5  # as in docs/swap-states.md: reaches every rule


def is_possible(facts: Facts) -> bool:
    """A withdrawal tells the secret to everybody."""
    told = withdrawn(facts.src) or withdrawn(facts.dst)
    return not contradicts(facts) and (facts.secret is SecretState.PUBLIC or not told)


def answers() -> Iterator[tuple[State, SecretState]]:
    cases: Iterator[tuple[Facts, ChainTimes]] = chain(before_fill(), before_lock(), source_gone(), both_there())
    for facts, now in islice(cases, 0, None, _STRIDE):
        if is_possible(facts):
            yield decide(facts, now, POLICY).state, facts.secret


@pytest.fixture(scope="module")
def known() -> dict[State, set[SecretState]]:
    """What can be known of the secret in each state, over every combination of facts."""
    found: dict[State, set[SecretState]] = {state: set() for state in State}
    for state, secret in set(answers()):
        found[state].add(secret)
    found[State.ACCEPTED].add(SecretState.UNKNOWN)  # how a swap begins, before any decision
    return found


def test_a_move_is_refused_exactly_when_it_would_make_a_public_secret_unknown(
    known: dict[State, set[SecretState]],
) -> None:
    for before, after in product(State, State):
        only_when_public = known[before] == {SecretState.PUBLIC}
        never_when_public = SecretState.PUBLIC not in known[after]
        assert may_follow(before, after) is not (only_when_public and never_when_public), (before, after, known)


def test_a_swap_begins_accepted() -> None:
    assert [state for state in State if may_follow(None, state)] == [State.ACCEPTED]


@given(first=CASES, second=CASES, then=TIMES, later=TIMES, policy=POLICIES)
def test_no_two_decisions_are_refused_whatever_the_chains_took_back_between_them(
    first: Facts, second: Facts, then: ChainTimes, later: ChainTimes, policy: Policy
) -> None:
    forgotten = first.secret is SecretState.PUBLIC and second.secret is not SecretState.PUBLIC
    if is_possible(first) and is_possible(second) and not forgotten:
        assert may_follow(decide(first, then, policy).state, decide(second, later, policy).state)


@given(state=st.sampled_from(State))
def test_a_state_may_be_decided_again(state: State) -> None:
    assert may_follow(state, state)
