"""Has every open swap looked at again that was not for a while, and every one whose row cannot be right.

A look decides a swap from the facts, so whatever was missed or damaged is put right by it. Finished swaps are checked
too, a sixtieth of them each minute.
"""

from typing import Final

from bmn.core.units import Hashlock
from bmn.jobs.deps import JobDeps
from bmn.messages import wake_swap
from bmn.observe import jobs as observe
from bmn.pg.pool import connection, transaction
from bmn.pg.runs import Metrics
from bmn.store.healing import load_suspects, restore_from_history
from bmn.store.swaps import load_open_hashlocks

SLICES: Final = 60
_IDLE_SECONDS: Final = 30.0
_MOST: Final = 10_000
_PREFIXES: Final = 1 << 16


async def run(deps: JobDeps) -> Metrics:
    """Look once."""
    async with connection(deps.pool) as conn:
        idle = await load_open_hashlocks(conn, _IDLE_SECONDS, _MOST)
        suspects = await load_suspects(conn, *slice_of(deps.clock.now()))
    restored = 0
    for suspect in suspects:
        if suspect.contradicts_history:
            async with transaction(deps.pool) as conn:
                is_restored = await restore_from_history(conn, suspect.hashlock)
            if is_restored:
                observe.swap_restored(str(suspect.hashlock))
                restored += 1
    await _wake(deps, {*idle, *(suspect.hashlock for suspect in suspects)})
    return {"idle": len(idle), "suspects": len(suspects), "restored": restored}


def slice_of(now: float) -> tuple[bytes, bytes | None]:
    """Return the hashlocks, from and below, whose finished swaps are checked in this minute; None: no end."""
    minute = int(now // 60) % SLICES
    low, high = (_PREFIXES * part // SLICES for part in (minute, minute + 1))
    return low.to_bytes(2, "big"), None if high == _PREFIXES else high.to_bytes(2, "big")


async def _wake(deps: JobDeps, hashlocks: set[Hashlock]) -> None:
    async with transaction(deps.pool) as conn:
        for hashlock in sorted(hashlocks):  # one order, against deadlocks
            await wake_swap(conn, hashlock, trace="state-sync")
    deps.wake.signal()
