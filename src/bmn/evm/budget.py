"""What an endpoint may cost: above so many calls a second they wait; above so many a day others go first."""

from dataclasses import dataclass, replace
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The owner's limits; each call of a batch counts."""

    per_second: float | None = None
    """Above it calls wait; one second's worth may come at once. None: no limit."""
    per_day: int | None = None
    """By the UTC day; above it the endpoint is asked only where no other answers, for a quorum, and to send."""


UNLIMITED: Final = Budget()


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """What was used of a budget since our start."""

    saved: float = float("inf")
    """Calls that may go out at once; below zero, calls already promised."""
    at: float = 0.0
    """When `saved` was true, in monotonic seconds."""
    day: int = 0
    """Days since 1970, UTC."""
    used: int = 0
    """Calls of that day."""


def pause_before(budget: Budget, spending: Spending, now: float) -> float:
    """Return the seconds to wait before the next call; `now` is monotonic."""
    if budget.per_second is None:
        return 0.0
    return max(0.0, (1.0 - _saved(budget.per_second, spending, now)) / budget.per_second)


def spend(budget: Budget, spending: Spending, calls: int, *, now: float, utc: float) -> Spending:
    """Return the spending once `calls` are promised; `now` is monotonic, `utc` seconds since 1970."""
    day = int(utc // 86_400)
    spending = replace(spending, day=day, used=calls + (spending.used if spending.day == day else 0))
    if budget.per_second is None:
        return spending
    return replace(spending, saved=_saved(budget.per_second, spending, now) - calls, at=now)


def is_day_spent(budget: Budget, spending: Spending, utc: float) -> bool:
    """Whether the calls of this UTC day are used up."""
    used = spending.used if spending.day == int(utc // 86_400) else 0
    return budget.per_day is not None and used >= budget.per_day


def _saved(per_second: float, spending: Spending, now: float) -> float:
    return min(max(per_second, 1.0), spending.saved + (now - spending.at) * per_second)
