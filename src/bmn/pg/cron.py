"""When a job is due: text to moments. Pure; time is an argument.

Three kinds of text:

- five or six cron fields, the sixth in front for seconds: `*/10 * * * * *`, `30 2 * * MON-FRI`;
- `every 30s` (ms, s, m, h, d), at whole multiples since 1970 UTC, so that everybody agrees on the moments;
- `at 2026-12-01T09:00:00`, once.

Cron fields are read in a time zone. Where its clock jumps, a schedule of fixed times (neither minute nor hour begins
with `*`) runs each local time once: a time that is left out runs when the gap ends, a time that comes twice runs the
first time. Any other schedule runs whenever the local clock shows a matching time.
"""

import re
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from bmn.core.errors import BadInput

LONGEST_TEXT: Final = 200

_EXAMPLES: Final = 'for example "*/10 * * * * *" (with seconds), "30 2 * * MON-FRI", "every 30s", "at 2026-12-01T09:00"'
_FIELDS: Final = (
    ("second", "0-59"),
    ("minute", "0-59"),
    ("hour", "0-23"),
    ("day-of-month", "1-31, L or LW"),
    ("month", "1-12 or JAN-DEC"),
    ("day-of-week", "0-7 or SUN-SAT"),
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)
_UNITS: Final = {
    "ms": timedelta(milliseconds=1),
    "s": _SECOND,
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}
_SHORTEST: Final = timedelta(milliseconds=100)
_LONGEST: Final = timedelta(days=366)
_FIRST_LOOK: Final = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Cron:
    """Cron fields in a time zone."""

    text: str
    """Six fields."""
    zone: tzinfo

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first tick after `moment`, in UTC; None when none comes within fifty years."""
        try:
            return self._fixed_after(moment) if self._has_fixed_times else self._shown_after(moment)
        except (StopIteration, OverflowError):
            return None

    def words(self) -> str:
        """Return it for people."""
        zone = "" if self.zone is UTC else f" ({self.zone})"
        return CronSim(self.text, datetime(2000, 1, 1)).explain() + zone  # noqa: DTZ001 - fields only

    @property
    def _has_fixed_times(self) -> bool:
        _, minute, hour, *_ = self.text.split()
        return not (minute.startswith("*") or hour.startswith("*"))

    def _fixed_after(self, moment: datetime) -> datetime:
        """Go through local times, each of which is one moment."""
        for local in CronSim(self.text, moment.astimezone(self.zone).replace(tzinfo=None)):
            if (tick := _moment_of(local, self.zone)) > moment:
                return tick
        raise StopIteration

    def _shown_after(self, moment: datetime) -> datetime:
        """Go through stretches of one offset from UTC."""
        start = moment.replace(microsecond=0)
        offset = _offset(start, self.zone)
        while True:
            tick = (next(CronSim(self.text, (start + offset).replace(tzinfo=None))) - offset).replace(tzinfo=UTC)
            edge = _next_jump(start, tick, offset, self.zone)
            if edge is None:
                return tick
            start, offset = edge - _SECOND, _offset(edge, self.zone)


@dataclass(frozen=True, slots=True)
class Every:
    """An interval."""

    period: timedelta

    def next_after(self, moment: datetime) -> datetime:
        """Return the first tick after `moment`, in UTC."""
        return _EPOCH + ((moment - _EPOCH) // self.period + 1) * self.period

    def words(self) -> str:
        """Return it for people."""
        whole = [name for name, unit in _UNITS.items() if not self.period % unit]
        name = max(whole, key=_UNITS.__getitem__)
        return f"Every {self.period // _UNITS[name]} {name}"


@dataclass(frozen=True, slots=True)
class Once:
    """One moment."""

    at: datetime

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the moment, None when it is over."""
        return self.at if self.at > moment else None

    def words(self) -> str:
        """Return it for people."""
        return f"Once at {self.at:%Y-%m-%d %H:%M:%S} UTC"


Timing: TypeAlias = Cron | Every | Once


def parse_timing(spec: str, zone: str = "UTC") -> Timing:
    """Read the text of a schedule; `zone` is a name such as `Europe/Berlin`.

    Raises:
        BadInput: `BAD_SCHEDULE` or `BAD_ZONE`, with the field that is wrong and why.
    """
    place = _parse_zone(zone)
    text = " ".join(spec.split())
    if len(text) > LONGEST_TEXT:
        raise _bad(f"longer than {LONGEST_TEXT} characters")
    if text.startswith("every "):
        return _parse_every(text.removeprefix("every "))
    if text.startswith("at "):
        return _parse_once(text.removeprefix("at "), place)
    return _parse_cron(text, place)


def latest_ticks(timing: Timing, after: datetime, until: datetime, limit: int) -> list[datetime]:
    """Return the last `limit` ticks after `after` and not after `until`, the oldest first."""
    look = _FIRST_LOOK
    while True:
        start = max(after, until - look)
        found: deque[datetime] = deque(maxlen=limit)
        tick = timing.next_after(start)
        while tick is not None and tick <= until:
            found.append(tick)
            tick = timing.next_after(tick)
        if len(found) == limit or start == after:
            return list(found)
        look *= 2


def _parse_zone(zone: str) -> tzinfo:
    if zone == "UTC":
        return UTC
    try:
        return ZoneInfo(zone)
    except (KeyError, ValueError, OSError) as error:
        raise BadInput(
            "BAD_ZONE", f"there is no time zone {zone[:80]!r}", hint="for example UTC or Europe/Berlin"
        ) from error


def _parse_every(text: str) -> Every:
    match = re.fullmatch(r"([1-9][0-9]{0,8}) ?(ms|s|m|h|d)", text)
    if match is None:
        raise _bad(f"the interval {text[:40]!r} is not a whole number and one of ms, s, m, h, d")
    period = int(match[1]) * _UNITS[match[2]]
    if not _SHORTEST <= period <= _LONGEST:
        raise _bad(f"the interval {text!r} is not between 100 ms and 366 d")
    return Every(period)


def _parse_once(text: str, zone: tzinfo) -> Once:
    try:
        moment = datetime.fromisoformat(text)
        at = _moment_of(moment, zone) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise _bad(f"the moment {text[:40]!r} is not a date and time") from error
    return Once(at)


def _parse_cron(text: str, zone: tzinfo) -> Cron:
    fields = text.split()
    if len(fields) == 5:
        fields.insert(0, "0")
    if len(fields) != 6:
        raise _bad(f"{len(fields)} fields where 5 or 6 belong")
    for place, (field, (name, allowed)) in enumerate(zip(fields, _FIELDS, strict=True)):
        alone = ["*"] * 6
        alone[place] = field
        if not _is_cron(alone):
            raise _bad(f"the {name} field {field!r} is not made of {allowed}, *, lists, ranges and steps")
    cron = Cron(" ".join(fields), zone)
    if not _is_cron(fields) or cron.next_after(_EPOCH) is None:
        raise _bad("the fields are right one by one, but no day has them all")
    return cron


def _is_cron(fields: list[str]) -> bool:
    try:
        CronSim(" ".join(fields), datetime(2000, 1, 1))  # noqa: DTZ001 - fields only
    except (CronSimError, AssertionError, TypeError):  # the library asserts of some steps what users can write
        return False
    return True


def _bad(why: str) -> BadInput:
    return BadInput("BAD_SCHEDULE", why, hint=_EXAMPLES)


def _moment_of(local: datetime, zone: tzinfo) -> datetime:
    """Return the first moment at which the clock of `zone` shows `local` or has jumped over it."""
    while True:
        moment = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
        if moment.astimezone(zone).replace(tzinfo=None) == local:
            return moment
        local = local.replace(second=0, microsecond=0) + timedelta(minutes=1)  # in a gap


def _offset(moment: datetime, zone: tzinfo) -> timedelta:
    offset = moment.astimezone(zone).utcoffset()
    assert offset is not None
    return offset


def _next_jump(start: datetime, until: datetime, offset: timedelta, zone: tzinfo) -> datetime | None:
    """Return the first moment in (`start`, `until`] at which the offset from UTC is not `offset`, to the second."""
    if isinstance(zone, ZoneInfo):
        low = start
        while low < until:
            high = min(until, low + timedelta(days=1))  # no zone jumps there and back within a day
            if _offset(high, zone) != offset:
                return _bisect(low, high, offset, zone)
            low = high
    return None


def _bisect(low: datetime, high: datetime, offset: timedelta, zone: tzinfo) -> datetime:
    while high - low > _SECOND:
        middle = low + ((high - low) / 2 // _SECOND) * _SECOND
        low, high = (low, middle) if _offset(middle, zone) != offset else (middle, high)
    return high
