"""Which endpoint is asked first, and when a second one is asked beside it: pure rules over measured figures."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

HALF_LIFE: Final = 60.0
"""Seconds in which an old figure loses half its weight, so that an endpoint passed over gets another chance."""
ERROR_COST: Final = 0.3
"""Seconds to add where every request fails; the breaker sees to it that few do."""
LAG_COST: Final = 0.5
"""Seconds to add for each block of lag but the first: asked at the same moment, equals often differ by one."""
WORSE_FACTOR: Final = 2.0
WORSE_MARGIN: Final = 0.1
"""An endpoint stands back behind the best if it costs more than twice as much and a tenth of a second."""

HEDGE_SAMPLES: Final = 20
"""Answers from which a 95th percentile is believed."""
HEDGE_LEAST: Final = 0.02
HEDGE_UNKNOWN: Final = 1.0
"""Seconds until a second endpoint is asked as long as nothing is known of the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What an endpoint showed lately."""

    seconds: float = 0.0
    """Smoothed time of an answer."""
    errors: float = 0.0
    """Smoothed share of requests that failed, 0 to 1."""
    lag: float = 0.0
    """Blocks it was behind the newest head anybody reported, when it last spoke of one."""
    at: float = 0.0
    """When all of it was so, in monotonic seconds."""


def faded(figures: Figures, now: float) -> Figures:
    """Return the figures as they count at `now`: what is long ago counts little."""
    left = math.exp2(-max(now - figures.at, 0.0) / HALF_LIFE)
    return Figures(seconds=figures.seconds * left, errors=figures.errors * left, lag=figures.lag * left, at=now)


def cost_of(figures: Figures, now: float) -> float:
    """Return what asking costs, in seconds."""
    present = faded(figures, now)
    return present.seconds + ERROR_COST * present.errors + LAG_COST * max(present.lag - 1.0, 0.0)


def smooth(before: float, sample: float) -> float:
    """Return the average that leans an eighth towards the newest sample."""
    return before + (sample - before) / 8


def stands_back(costs: Sequence[float]) -> tuple[bool, ...]:
    """Return for each cost whether it is so far above the least that the owner's order of preference is overruled."""
    bound = WORSE_FACTOR * min(costs, default=0.0) + WORSE_MARGIN
    return tuple(cost > bound for cost in costs)


def hedge_after(samples: Sequence[float]) -> float:
    """Return the seconds after which a second endpoint is asked: the 95th percentile of the first one's answers."""
    if len(samples) < HEDGE_SAMPLES:
        return HEDGE_UNKNOWN
    return max(sorted(samples)[len(samples) * 95 // 100], HEDGE_LEAST)
