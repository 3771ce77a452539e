"""When an endpoint that fails is left alone, and who tries it again: pure rules over a value.

Closed: asked as usual. Open: it rests. Half-open: the rest is over, and one request at a time may try. A fault while it
rests changes nothing: ten requests that fail together are one failure.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

THRESHOLD: Final = 1
"""Faults in a row that open it. One is enough: the first rest is short, and others can answer meanwhile."""
REST_FIRST: Final = 0.5
"""Seconds of the first rest; doubles with each failed try."""
REST_MOST: Final = 30.0
"""The longest rest, unless the endpoint itself asks for more."""
INSIST_EVERY: Final = 1.0
"""Seconds between requests to an endpoint that asked us to wait, when no other can answer."""


class Phase(StrEnum):
    """Whether an endpoint may be asked."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """What one endpoint's failures come to. Times are monotonic seconds of our host."""

    faults: int = 0
    """In a row."""
    opened_at: float = float("-inf")
    """Begin of the last rest."""
    rests_until: float = float("-inf")
    """End of the last rest."""
    reason: str = ""
    """Code of the last fault."""
    asked_to_wait: bool = False
    """The endpoint itself named the length of the rest."""
    is_tried: bool = False
    """The one request of the half-open phase is under way."""
    insisted_at: float = float("-inf")
    """When it was last asked although it had asked us to wait."""


def phase_of(breaker: Breaker, now: float) -> Phase:
    """Return the phase; a rest is over at its last second."""
    if breaker.faults < THRESHOLD:
        return Phase.CLOSED
    return Phase.OPEN if now < breaker.rests_until else Phase.HALF_OPEN


def is_admitted(breaker: Breaker, now: float) -> bool:
    """Whether one more request may go out as usual."""
    phase = phase_of(breaker, now)
    return phase is Phase.CLOSED or (phase is Phase.HALF_OPEN and not breaker.is_tried)


def may_insist(breaker: Breaker, now: float) -> bool:
    """Whether it may be asked where no other can answer: our own caution never stops that, its wish slows it."""
    resting = phase_of(breaker, now) is Phase.OPEN
    return not (resting and breaker.asked_to_wait) or now >= breaker.insisted_at + INSIST_EVERY


def begin(breaker: Breaker, now: float) -> Breaker:
    """Return the breaker once a request is under way."""
    match phase_of(breaker, now):
        case Phase.CLOSED:
            return breaker
        case Phase.HALF_OPEN:
            return replace(breaker, is_tried=True)
        case Phase.OPEN:
            return replace(breaker, insisted_at=now)


def answered(breaker: Breaker, now: float, *, begun: float) -> Breaker:
    """Return the breaker after any answer that is not a fault: closed, all forgotten.

    Unless it rests since after the request began at `begun`: an answer already under way then proves nothing.
    """
    return breaker if phase_of(breaker, now) is Phase.OPEN and begun < breaker.opened_at else Breaker()


def faulted(breaker: Breaker, now: float, *, reason: str, retry_after: float | None = None) -> Breaker:
    """Return the breaker after a fault; `retry_after` is the seconds the endpoint asked for, if it did."""
    asked = retry_after is not None
    if phase_of(breaker, now) is Phase.OPEN:
        until = breaker.rests_until if retry_after is None else max(breaker.rests_until, now + retry_after)
        return replace(breaker, rests_until=until, asked_to_wait=breaker.asked_to_wait or asked)
    faults = breaker.faults + 1
    rest = REST_FIRST * 2 ** min(faults - THRESHOLD, 16) if faults >= THRESHOLD else 0.0
    rest = max(min(rest, REST_MOST), retry_after or 0.0)
    return Breaker(
        faults=faults, opened_at=now, rests_until=now + rest, reason=reason, asked_to_wait=asked, insisted_at=now
    )


def given_up(breaker: Breaker) -> Breaker:
    """Return the breaker after a request that ended without a verdict, because nobody waited any more."""
    return replace(breaker, is_tried=False)
