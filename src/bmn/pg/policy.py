"""When to try again, and when to stop trying. Pure: time and chance come in as arguments."""

from dataclasses import dataclass
from typing import Final

from bmn.seams import Rng

_MOST_DOUBLINGS: Final = 60  # far beyond any `longest`; keeps the power a finite number


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How a failed attempt is followed by the next one."""

    first: float
    """Seconds before the first retry."""
    factor: float = 2.0
    """Each wait is this many times the one before; at least 1."""
    longest: float
    """Seconds of the longest wait."""
    jitter: float = 0.5
    """Largest share of a wait that chance takes off, from 0 to 1: those that failed together come back apart."""
    max_retries: int | None = None
    """Retries after the first attempt; None: never given up."""

    @property
    def max_attempts(self) -> int | None:
        """Return the attempts in all, as `NewMessage` wants them."""
        return None if self.max_retries is None else self.max_retries + 1

    def next_delay(self, attempt: int, rng: Rng, *, now: float = 0.0, deadline: float | None = None) -> float | None:
        """Return the seconds to wait after attempt number `attempt` (1 is the first) failed; None: stop trying.

        `now` and `deadline` are seconds of one clock, whichever; no retry is later than `deadline`.
        """
        if self.max_retries is not None and attempt > self.max_retries:
            return None
        nominal = min(self.longest, self.first * self.factor ** min(attempt - 1, _MOST_DOUBLINGS))
        delay = nominal * rng.uniform(1.0 - self.jitter, 1.0)
        return None if deadline is not None and now + delay > deadline else delay
