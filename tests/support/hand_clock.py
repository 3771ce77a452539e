"""A clock that a test moves by hand."""

import asyncio
import heapq
import itertools


class HandClock:
    """Host time that stands still until `advance`; sleepers wake in order."""

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self._start = start
        self._time = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def now(self) -> float:
        return self._start + self._time

    def monotonic(self) -> float:
        return self._time

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._time + seconds, next(self._order), woken))
        await woken

    async def advance(self, seconds: float) -> None:
        """Move on by `seconds`, waking whoever is due at the moment it is due."""
        target = self._time + seconds
        await settle()
        while self._sleepers and self._sleepers[0][0] <= target:
            self._time, _, woken = heapq.heappop(self._sleepers)
            if not woken.done():
                woken.set_result(None)
            await settle()
        self._time = target


async def settle() -> None:
    """Let everything that is ready run."""
    for _ in range(20):
        await asyncio.sleep(0)
