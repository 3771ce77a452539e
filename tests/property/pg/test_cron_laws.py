"""Laws of schedules: the ticks are those that a walk over every minute of the local clock finds."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from bmn.core.errors import BadInput
from bmn.pg.cron import Timing, latest_ticks, parse_timing


def moment(year: int, month: int, day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=UTC)


# Jumps by an hour, by half an hour, at midnight, of a whole day, and none.
JUMPS = {
    "Europe/Berlin": [moment(2026, 3, 29, 1), moment(2026, 10, 25, 1)],
    "Australia/Lord_Howe": [moment(2026, 4, 4, 15), moment(2026, 10, 3, 15, 30)],
    "America/Havana": [moment(2026, 3, 8, 5), moment(2026, 11, 1, 5)],
    "Pacific/Apia": [moment(2011, 12, 30, 10)],
    "UTC": [moment(2026, 1, 1, 0)],
}
WINDOW = timedelta(hours=14)
MINUTE = timedelta(minutes=1)

places = st.sampled_from([(zone, jump) for zone, jumps in JUMPS.items() for jump in jumps])
minutes = st.sampled_from(["*", "*/7", "0", "0,30", "59", "15-20"])
hours = st.sampled_from(["*", "*/3", "0", "1,2,3", "2", "23", "0-3"])


def collect(timing: Timing, start: datetime, end: datetime) -> list[datetime]:
    found = []
    tick = timing.next_after(start)
    while tick is not None and tick <= end:
        found.append(tick)
        tick = timing.next_after(tick)
    return found


def values(field: str, size: int) -> set[int]:
    if field.startswith("*"):
        return set(range(0, size, int(field[2:] or 1)))
    if "-" in field:
        low, high = field.split("-")
        return set(range(int(low), int(high) + 1))
    return {int(part) for part in field.split(",")}


@settings(max_examples=60, deadline=None)
@given(place=places, minute=minutes, hour=hours)
def test_ticks_are_what_the_local_clock_shows(place: tuple[str, datetime], minute: str, hour: str) -> None:
    zone, jump = place
    start, end = jump - WINDOW, jump + WINDOW
    wanted_minutes, wanted_hours = values(minute, 60), values(hour, 24)
    is_fixed = not (minute.startswith("*") or hour.startswith("*"))
    shown: list[datetime] = []
    now = start - timedelta(hours=2)  # far enough back to know which local times were there before
    highest = now.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    while (now := now + MINUTE) <= end:
        local = now.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        passed = (
            [highest + MINUTE * step for step in range(1, (local - highest) // MINUTE + 1)] if is_fixed else [local]
        )
        highest = max(highest, local)
        is_due = any(one.minute in wanted_minutes and one.hour in wanted_hours for one in passed)
        if is_due and now > start:
            shown.append(now)
    assert collect(parse_timing(f"{minute} {hour} * * *", zone), start, end) == shown


@settings(max_examples=60, deadline=None)
@given(
    spec=st.sampled_from(["*/10 * * * * *", "*/7 * * * *", "30 2 * * *", "every 90s", "0 0 29 2 *"]),
    place=places,
    back=st.integers(0, 10**6),
    limit=st.integers(1, 40),
)
def test_the_latest_ticks_are_the_end_of_all(spec: str, place: tuple[str, datetime], back: int, limit: int) -> None:
    zone, until = place
    after = until - timedelta(seconds=back % 5000)
    timing = parse_timing(spec, zone)
    assert latest_ticks(timing, after, until, limit) == collect(timing, after, until)[-limit:]


@given(spec=st.text(alphabet="0123456789*,-/#LWFRIMONevryat: T", max_size=30))
def test_any_text_is_read_or_refused(spec: str) -> None:
    try:
        timing = parse_timing(spec)
    except BadInput:
        return
    start = moment(2026, 1, 1, 0)
    following = timing.next_after(start)
    assert following is None or following > start
