"""What every drill needs: its count, its seed, a line in the report, and waiting for a promise with its bound."""

import asyncio
import os
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

FULL = os.environ.get("BMN_DRILL") == "full"
"""Whether the counts are those that the issues name."""

SLACK_SECONDS = 10.0
"""What a reduced drill grants beyond a promise: it shares the machine with other tests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """One run of one drill."""

    seed: int
    rng: random.Random
    """Seeded; decides everything the drill leaves to chance."""
    note: Callable[[str, object], None]

    def report(self, *, count: str, bound: str, worst: str) -> None:
        """State for docs/reliability.md what was done, what is promised and the worst that was seen."""
        for name, value in (("count", count), ("bound", bound), ("worst", worst)):
            self.note(name, value)


@pytest.fixture
def drill(record_property: Callable[[str, object], None]) -> Drill:
    """A drill with the seed of BMN_SEED, or a new one; printed when the test fails."""
    seed = int(os.environ.get("BMN_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"BMN_SEED={seed}")
    record_property("seed", seed)
    return Drill(seed=seed, rng=random.Random(seed), note=record_property)


async def until(condition: Callable[[], Awaitable[bool]], what: str, *, seconds: float) -> float:
    """Return after how many seconds `condition` was true; fail when it is not within `seconds`, the promised bound."""
    clock = asyncio.get_running_loop().time
    started = clock()
    while not await condition():
        if clock() - started > seconds:
            raise AssertionError(f"not within {seconds} s: {what}")
        await asyncio.sleep(0.02)  # between two looks
    return clock() - started
