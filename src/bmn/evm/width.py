"""How many requests at once an endpoint gets: more while that is what holds us up, fewer when it slows or refuses."""

from typing import Final

WIDTH_FIRST: Final = 8.0
WIDTH_LEAST: Final = 1.0
WIDTH_MOST: Final = 64.0
"""As many connections as are kept to one host."""
SLOW_FACTOR: Final = 4.0
"""So many times the quickest answer to the same question is slow."""
SLOW_FLOOR: Final = 0.05
"""Seconds; less is never slow: it is our own loop that was busy."""


def is_slow(seconds: float, quickest: float) -> bool:
    """Whether an answer after `seconds` shows a queue, given the quickest answer to the same question."""
    return seconds > max(SLOW_FACTOR * quickest, SLOW_FLOOR)


def width_after_answer(width: float, *, in_flight: int, slow: bool) -> float:
    """Return the width after an answer; `in_flight` counts that request. Grows by one for each round at full width."""
    if slow:
        return max(width * 0.9, WIDTH_LEAST)
    if in_flight < int(width):
        return width
    return min(width + 1.0 / width, WIDTH_MOST)


def width_after_refusal(width: float) -> float:
    """Return the width after the endpoint asked for fewer requests."""
    return max(width / 2, WIDTH_LEAST)
