"""Laws of the decision over random facts, times and margins."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.swap_facts import DST, FACTS, POLICY, SRC, T_SC, contradicts, escrows
from tests.support.swap_laws import check_laws
from tests.support.swap_values import BORN

from bmn.core.facts import ChainTime, ChainTimes, EscrowFacts, Facts, Intents, IntentState, LockRecord, SecretState
from bmn.core.swap import Action, Policy, decide
from bmn.core.units import Seconds, UnixTime

STATES = st.sampled_from(IntentState)
INTENTS = st.builds(Intents, fill=STATES, lock=STATES, pay=STATES, claim=STATES, cancel_dst=STATES, cancel_src=STATES)
MOMENTS = st.integers(BORN - 10, T_SC + 60)
CLOCKS = st.builds(
    lambda earliest, ahead, fresh: ChainTime(
        earliest=UnixTime(earliest), latest=UnixTime(earliest + ahead), fresh=fresh
    ),
    MOMENTS,
    st.sampled_from([0, 0, 1, 30]),
    st.booleans(),
)
TIMES = st.builds(ChainTimes, src=CLOCKS, dst=CLOCKS)
POLICIES = st.builds(
    lambda accepting, detect: Policy(margins=replace(POLICY.margins, detect=Seconds(detect)), accepting=accepting),
    st.booleans(),
    st.integers(0, 200),
)


def lives(escrow: EscrowFacts) -> st.SearchStrategy[EscrowFacts | None]:
    return st.none() | st.sampled_from(escrows(escrow))


CASES = st.builds(
    Facts,
    order=st.builds(
        lambda gone, expires: replace(FACTS.order, gone=gone, expires_at=UnixTime(expires)),
        st.booleans(),
        st.just(0) | MOMENTS,
    ),
    src=lives(SRC),
    dst=lives(DST),
    lock_record=st.sampled_from(LockRecord),
    secret=st.sampled_from(SecretState),
    intents=INTENTS,
    refusal=st.none(),
).filter(lambda facts: not contradicts(facts))


@given(facts=CASES, now=TIMES, policy=POLICIES)
@settings(max_examples=1000)
def test_every_decision_keeps_the_laws(facts: Facts, now: ChainTimes, policy: Policy) -> None:
    check_laws(facts, now, policy, decide(facts, now, policy))


@given(facts=CASES, now=TIMES, policy=POLICIES)
def test_same_facts_same_answer_whatever_became_of_our_cancels(facts: Facts, now: ChainTimes, policy: Policy) -> None:
    other = replace(facts.intents, cancel_dst=IntentState.NONE, cancel_src=IntentState.NONE)
    assert decide(replace(facts, intents=other), now, policy) == decide(facts, now, policy)


@given(lock=STATES, now=TIMES, policy=POLICIES, more=st.integers(0, 100), record=st.sampled_from(LockRecord))
def test_a_lock_wanted_with_wide_margins_is_wanted_with_narrow_ones(
    lock: IntentState, now: ChainTimes, policy: Policy, more: int, record: LockRecord
) -> None:
    facts = replace(FACTS, src=SRC, lock_record=record, intents=Intents(lock=lock))
    wide = replace(policy, margins=replace(policy.margins, detect=Seconds(policy.margins.detect + more)))
    if Action.LOCK in decide(facts, now, wide).actions:
        assert Action.LOCK in decide(facts, now, policy).actions
