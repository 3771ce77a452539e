"""Closed loops and what they took, as the peer's bench measures them."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` of all lie; the same rule as the peer's."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def latencies(seconds: Sequence[float]) -> dict[str, float]:
    """Return p50, p99 and the longest, in milliseconds."""
    return {
        "p50_ms": round(percentile(seconds, 0.5) * 1000, 3),
        "p99_ms": round(percentile(seconds, 0.99) * 1000, 3),
        "max_ms": round(max(seconds) * 1000, 3),
    }


async def closed_loops(count: int, callers: int, work: Callable[[int], Awaitable[None]]) -> dict[str, float]:
    """Do `work(0 … count-1)` by `callers` who each begin the next when the last has been answered."""
    numbers = iter(range(count))
    taken: list[float] = []

    async def caller() -> None:
        for number in numbers:
            started = time.perf_counter()
            await work(number)
            taken.append(time.perf_counter() - started)

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(caller())
    seconds = time.perf_counter() - began
    return {"n": count, "conc": callers, "ops_s": round(count / seconds, 1), **latencies(taken)}
