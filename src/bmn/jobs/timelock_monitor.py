"""Has swaps looked at whose deadline has come, or one of whose windows opens or closes about now, by chain time.

The indexer wakes swaps with the very block that reaches their deadline. This is the second pair of eyes: it does not
depend on a block being read, nor on a wake-up that was recorded. The wall clock only decides when it looks.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from bmn.core.chain import ChainSpec
from bmn.core.swap import State
from bmn.core.timelocks import Stage
from bmn.core.units import ChainId, Hashlock, Seconds, UnixTime
from bmn.core.windows import Side
from bmn.jobs.deps import JobDeps
from bmn.messages import AdvanceSwap, Kind, WithdrawSrcEscrow, wake_swap
from bmn.observe import jobs as observe
from bmn.pg.pool import connection, transaction
from bmn.pg.runs import Metrics
from bmn.store.deadlines import OpenEscrow, load_open_escrows
from bmn.store.journal import load_head
from bmn.store.swaps import DueSwap, load_swaps_due

NEAR: Final = Seconds(60)
"""Before a window opens or closes, and after: several looks fall into it."""

AT_STAKE: Final = frozenset(
    {
        State.SECRET_PRIVATE,
        State.SECRET_PUBLIC,
        State.CLAIMED,
        State.ABORT,
        State.UNWIND,
        State.SRC_GONE,
    }
)
"""A claim, a payout or a refund is what comes next."""

_CLOSING: Final = frozenset({Stage.SRC_CANCELLATION, Stage.DST_CANCELLATION})
"""From here on claims and payouts are over and refunds begin."""
_STAGES: Final = {
    Side.SRC: (Stage.SRC_WITHDRAWAL, Stage.SRC_CANCELLATION),
    Side.DST: (Stage.DST_WITHDRAWAL, Stage.DST_CANCELLATION),
}
_STALE_BLOCKS: Final = 3
_STALE_SECONDS: Final = 5.0
_MOST: Final = 10_000


async def run(deps: JobDeps) -> Metrics:
    """Look once at every open swap."""
    times: dict[ChainId, UnixTime] = {}
    silent: set[ChainId] = set()
    due: list[DueSwap] = []
    async with connection(deps.pool) as conn:
        for spec in deps.specs.values():
            head = await load_head(conn, spec.id)
            if head is None:
                continue
            times[spec.id] = head.time
            if _is_stale(deps.clock.now() - head.seen_at, spec):
                silent.add(spec.id)
            due += [one for one in await load_swaps_due(conn, spec.id, limit=_MOST) if one.due_at <= head.time]
        escrows = await load_open_escrows(conn)
    wakes = judge(due, escrows, times, silent)
    async with transaction(deps.pool) as conn:
        for hashlock, why in sorted(wakes.items()):  # one order, against deadlocks
            await wake_swap(conn, hashlock, why, trace="timelock-monitor")
    if wakes:
        deps.wake.signal()
    _tell_remaining(escrows, times, deps.specs)
    critical = sum(why is WithdrawSrcEscrow for why in wakes.values())
    return {"open_escrows": len(escrows), "due": len(due), "woken": len(wakes), "critical": critical}


def judge(
    due: Sequence[DueSwap], escrows: Sequence[OpenEscrow], times: Mapping[ChainId, UnixTime], silent: set[ChainId]
) -> dict[Hashlock, Kind]:
    """Return which swaps to wake, and why; `times` is chain time by chain. Pure.

    Where a chain is silent its time is not known: every escrow on it may be near a window.
    """
    wakes: dict[Hashlock, Kind] = {}

    def wake(hashlock: Hashlock, *, critical: bool) -> None:
        if critical:
            wakes[hashlock] = WithdrawSrcEscrow
        else:
            wakes.setdefault(hashlock, AdvanceSwap)

    for one in due:
        wake(one.swap.hashlock, critical=one.swap.state in AT_STAKE)
    for escrow in escrows:
        now = times.get(escrow.chain_id)
        if now is None or escrow.chain_id in silent:
            wake(escrow.hashlock, critical=escrow.state in AT_STAKE)
            continue
        near = [stage for stage in _STAGES[escrow.side] if abs(escrow.timelocks.opens_at(stage) - now) <= NEAR]
        if near:
            wake(escrow.hashlock, critical=escrow.state in AT_STAKE or not _CLOSING.isdisjoint(near))
    return wakes


def _is_stale(age: float, spec: ChainSpec) -> bool:
    return age > max(_STALE_SECONDS, _STALE_BLOCKS * spec.block_time)


def _tell_remaining(
    escrows: Sequence[OpenEscrow], times: Mapping[ChainId, UnixTime], specs: Mapping[ChainId, ChainSpec]
) -> None:
    """Set the gauge of each chain and stage to the least time left, or to nothing where no escrow waits for it."""
    for chain_id, spec in specs.items():
        for side, stages in _STAGES.items():
            mine = [escrow for escrow in escrows if (escrow.chain_id, escrow.side) == (chain_id, side)]
            for stage in stages:
                left = [escrow.timelocks.opens_at(stage) - times[chain_id] for escrow in mine if chain_id in times]
                ahead = min((seconds for seconds in left if seconds > 0), default=None)
                observe.timelock_watched(spec.name, stage.name.lower(), ahead)
