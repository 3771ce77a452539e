"""Which of the ticks that have come are to run."""

from datetime import UTC, datetime, timedelta

import pytest

from bmn.pg.schedules import LATE_SECONDS, Missed, choose_ticks

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
LATE = timedelta(seconds=LATE_SECONDS)
STILL_LATE, JUST_MISSED = NOW - LATE, NOW - LATE - timedelta(microseconds=1)
LONG_AGO = NOW - timedelta(days=1)


@pytest.mark.parametrize(
    ("missed", "due", "expected"),
    [
        (Missed.SKIP, [STILL_LATE], [STILL_LATE]),
        (Missed.SKIP, [JUST_MISSED], []),
        (Missed.SKIP, [LONG_AGO, JUST_MISSED, STILL_LATE, NOW], [STILL_LATE, NOW]),
        (Missed.ONCE, [STILL_LATE], [STILL_LATE]),
        (Missed.ONCE, [LONG_AGO, JUST_MISSED], [JUST_MISSED]),
        (Missed.ONCE, [LONG_AGO, JUST_MISSED, NOW], [NOW]),
        (Missed.ALL, [LONG_AGO, JUST_MISSED, NOW], [LONG_AGO, JUST_MISSED, NOW]),
        *[(policy, [], []) for policy in Missed],
    ],
)
def test_a_tick_runs_up_to_five_seconds_late_and_then_by_policy(
    missed: Missed, due: list[datetime], expected: list[datetime]
) -> None:
    assert choose_ticks(due, NOW, missed) == expected
