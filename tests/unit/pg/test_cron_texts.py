"""When a job is due, by its text."""

from datetime import UTC, datetime, timedelta

import pytest

from bmn.core.errors import BadInput
from bmn.pg.cron import latest_ticks, parse_timing

NOON = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)


def ticks(spec: str, after: datetime, count: int, zone: str = "UTC") -> list[str]:
    timing, found, moment = parse_timing(spec, zone), [], after
    for _ in range(count):
        following = timing.next_after(moment)
        if following is None:
            break
        found.append(f"{following:%m-%d %H:%M:%S}")
        moment = following
    return found


def test_six_fields_begin_with_seconds() -> None:
    assert ticks("*/10 * * * * *", NOON, 3) == ["11-24 12:00:10", "11-24 12:00:20", "11-24 12:00:30"]


@pytest.mark.parametrize(("second", "following"), [(9, 10), (10, 20), (49, 50), (50, 60)])
def test_a_tick_is_after_the_moment_asked_for(second: int, following: int) -> None:
    assert parse_timing("*/10 * * * * *").next_after(NOON + timedelta(seconds=second)) == NOON + timedelta(
        seconds=following
    )


def test_a_fraction_of_a_second_before_a_tick_still_gets_it() -> None:
    assert parse_timing("*/10 * * * * *").next_after(NOON - timedelta(microseconds=1)) == NOON
    assert parse_timing("*/10 * * * * *").next_after(NOON) == NOON + timedelta(seconds=10)


def test_five_fields_mean_the_first_second_of_the_minute() -> None:
    assert ticks("30 2 * * MON-FRI", NOON, 2) == ["11-25 02:30:00", "11-26 02:30:00"]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("every 30s", ["11-24 12:00:30", "11-24 12:01:00"]),
        ("every 90m", ["11-24 13:30:00", "11-24 15:00:00"]),
        ("every 1d", ["11-25 00:00:00", "11-26 00:00:00"]),
        ("at 2026-11-24T12:00:01", ["11-24 12:00:01"]),
        ("at 2026-11-24T12:00:00", []),
        ("at 2026-11-24T14:00:00+01:00", ["11-24 13:00:00"]),
    ],
)
def test_intervals_and_single_moments(spec: str, expected: list[str]) -> None:
    assert ticks(spec, NOON, 2) == expected


def test_a_single_moment_is_read_in_its_zone() -> None:
    assert ticks("at 2026-11-25T00:00", NOON, 1, "Asia/Tokyo") == ["11-24 15:00:00"]


# Europe/Berlin: 2026-03-29 02:00 becomes 03:00 (01:00 UTC), 2026-10-25 03:00 becomes 02:00 (01:00 UTC).
SPRING, AUTUMN = datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 10, 24, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("spec", "after", "expected"),
    [
        ("59 1 * * *", SPRING, ["03-29 00:59:00", "03-29 23:59:00"]),  # the last minute before the gap
        ("30 2 * * *", SPRING, ["03-29 01:00:00", "03-30 00:30:00"]),  # in the gap: when it ends
        ("0 30 2 * * *", SPRING, ["03-29 01:00:00", "03-30 00:30:00"]),  # the same with seconds
        ("0 3 * * *", SPRING, ["03-29 01:00:00", "03-30 01:00:00"]),  # the first minute after it
        ("0,30 2,3 * * *", SPRING, ["03-29 01:00:00", "03-29 01:30:00", "03-30 00:00:00"]),
        ("59 1 * * *", AUTUMN, ["10-24 23:59:00", "10-26 00:59:00"]),  # the last minute before the doubled hour
        ("30 2 * * *", AUTUMN, ["10-25 00:30:00", "10-26 01:30:00"]),  # twice on the clock: the first
        ("0 3 * * *", AUTUMN, ["10-25 02:00:00", "10-26 02:00:00"]),  # the first minute after it
    ],
)
def test_a_fixed_time_comes_once_a_day_whatever_the_clock_does(spec: str, after: datetime, expected: list[str]) -> None:
    assert ticks(spec, after, len(expected), "Europe/Berlin") == expected


@pytest.mark.parametrize("day", [29, 25])
def test_an_hourly_job_runs_each_hour_whatever_the_clock_does(day: int) -> None:
    month = 3 if day == 29 else 10
    start = datetime(2026, month, day - 1, 22, 30, tzinfo=UTC)
    hours = [f"{month:02}-{day - 1} 23:00:00", *(f"{month:02}-{day} {hour:02}:00:00" for hour in range(4))]
    assert ticks("0 * * * *", start, 5, "Europe/Berlin") == hours


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ("", "0 fields"),
        ("* * * *", "4 fields"),
        ("* * * * * * *", "7 fields"),
        ("60 * * * * *", "second field '60'"),
        ("60 * * * *", "minute field '60'"),
        ("* 24 * * *", "hour field '24'"),
        ("* * 0 * *", "day-of-month field '0'"),
        ("* * * 13 *", "month field '13'"),
        ("* * * * 8", "day-of-week field '8'"),
        ("*/0 * * * * *", "second field '*/0'"),
        ("* * * * FRI#2/2", "day-of-week field 'FRI#2/2'"),
        ("0 0 30 2 *", "no day has them all"),
        ("every 0s", "interval '0s'"),
        ("every 99ms", "interval '99ms'"),
        ("every 367d", "interval '367d'"),
        ("every 1.5s", "interval '1.5s'"),
        ("at noon", "moment 'noon'"),
        ("* " * 101, "longer than 200"),
    ],
)
def test_a_bad_text_is_refused_with_the_field_and_an_example(spec: str, why: str) -> None:
    with pytest.raises(BadInput) as refused:
        parse_timing(spec)
    assert why in refused.value.detail
    assert "*/10 * * * * *" in refused.value.hint


@pytest.mark.parametrize("zone", ["Europe", "Mars/Olympus", "../etc/passwd", "", "/"])
def test_an_unknown_zone_is_refused(zone: str) -> None:
    with pytest.raises(BadInput, match="BAD_ZONE"):
        parse_timing("* * * * *", zone)


@pytest.mark.parametrize(
    ("spec", "zone", "words"),
    [
        ("*/10 * * * * *", "UTC", "Every 10th second of every minute"),
        ("30 2 * * *", "Europe/Berlin", "At 02:30 every day (Europe/Berlin)"),
        ("every 90m", "UTC", "Every 90 m"),
        ("every 7200s", "UTC", "Every 2 h"),
        ("at 2026-12-01T09:00", "UTC", "Once at 2026-12-01 09:00:00 UTC"),
    ],
)
def test_a_schedule_is_told_in_words(spec: str, zone: str, words: str) -> None:
    assert parse_timing(spec, zone).words() == words


def test_the_latest_ticks_are_bounded_and_in_order() -> None:
    each_second, month_ago = parse_timing("* * * * * *"), NOON - timedelta(days=30)
    found = latest_ticks(each_second, month_ago, NOON, 100)
    assert found == [NOON - timedelta(seconds=back) for back in reversed(range(100))]
    assert latest_ticks(each_second, NOON - timedelta(seconds=2), NOON, 100) == [NOON - timedelta(seconds=1), NOON]
    assert latest_ticks(parse_timing("0 0 1 1 *"), NOON - timedelta(days=1000), NOON, 2) == [
        datetime(2025, 1, 1, tzinfo=UTC),
        datetime(2026, 1, 1, tzinfo=UTC),
    ]
    assert latest_ticks(each_second, NOON, NOON, 100) == []
