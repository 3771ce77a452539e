"""A history replays to where its swap stands, and nothing can be left out, doubled or moved unseen."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bmn.core.errors import InvariantViolation
from bmn.core.moves import may_follow
from bmn.core.swap import State
from bmn.store.history import Standing, SwapEvent, replay

AT = datetime(2026, 1, 1, tzinfo=UTC)


@st.composite
def histories(draw: st.DrawFn) -> list[SwapEvent]:
    before: State | None = None
    events: list[SwapEvent] = []
    for version in range(1, draw(st.integers(1, 12)) + 1):
        after = draw(st.sampled_from([state for state in State if may_follow(before, state)]))
        reason = draw(st.sampled_from(["ONE", "TWO"]))
        events.append(SwapEvent(version=version, at=AT, before=before, after=after, reason=reason, actor="test"))
        before = after
    return events


def is_refused(events: Sequence[SwapEvent]) -> bool:
    try:
        replay(events)
    except InvariantViolation as error:
        return error.code == "HISTORY_BROKEN"
    return False


@given(events=histories())
def test_a_history_replays_to_its_last_change(events: list[SwapEvent]) -> None:
    last = events[-1]
    assert replay(events) == Standing(state=last.after, reason=last.reason, version=len(events))


@given(events=histories(), data=st.data())
def test_a_change_left_out_is_noticed(events: list[SwapEvent], data: st.DataObject) -> None:
    assume(len(events) > 1)
    gone = data.draw(st.integers(0, len(events) - 2))
    assert is_refused(events[:gone] + events[gone + 1 :])


@given(events=histories(), data=st.data())
def test_a_change_told_twice_is_noticed(events: list[SwapEvent], data: st.DataObject) -> None:
    twice = data.draw(st.integers(0, len(events) - 1))
    assert is_refused(events[: twice + 1] + events[twice:])


@given(events=histories())
def test_changes_out_of_order_are_noticed(events: list[SwapEvent]) -> None:
    assume(len(events) > 1)
    assert is_refused(events[::-1])


def test_no_history_at_all_is_refused() -> None:
    with pytest.raises(InvariantViolation, match="HISTORY_BROKEN"):
        replay([])
