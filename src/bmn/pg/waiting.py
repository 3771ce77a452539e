"""Waiting in a thread for something outside our process to become true."""

import time
from collections.abc import Callable

_PAUSE = 0.02


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether `condition` became true within `seconds`; asks at once, then every 20 ms. Blocks the thread."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(_PAUSE)
    return True
