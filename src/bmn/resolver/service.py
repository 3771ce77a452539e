"""The resolver's loops: work the queues off, and look again at every open swap now and then."""

import asyncio
from contextlib import suppress

from bmn.core.errors import BmnError, TransientError
from bmn.messages import QUEUES, policy_of, wake_swap
from bmn.observe import swaps as observe
from bmn.pg.pool import transaction
from bmn.pg.queue import Claimed
from bmn.pg.worker import run_worker
from bmn.resolver.advance import advance_swap
from bmn.resolver.deps import ResolverDeps
from bmn.resolver.lock_time import seconds_to_lock
from bmn.store.swaps import load_open_hashlocks

_CONCURRENCY = 8
_RESERVED = 2  # for claims, while everything else waits for slow chains
_SWEEP_SECONDS = 5.0
_IDLE_SECONDS = 10.0


async def run_resolver(deps: ResolverDeps) -> None:
    """Run until cancelled."""

    async def handle(claimed: Claimed) -> None:
        await advance_swap(claimed, deps)

    async def seconds_left(claimed: Claimed) -> float | None:
        return await seconds_to_lock(claimed, deps)

    async with asyncio.TaskGroup() as group:
        group.create_task(
            run_worker(
                deps.pool,
                QUEUES,
                handle,
                concurrency=_CONCURRENCY,
                wake=deps.wake,
                clock=deps.clock,
                rng=deps.rng,
                policy_of=policy_of,
                seconds_left=seconds_left,
                reserved=_RESERVED,
                report=_tell_person,
            )
        )
        group.create_task(_sweep(deps))


def _tell_person(claimed: Claimed, error: Exception) -> None:
    hashlock = "?" if claimed.key is None else "0x" + claimed.key.hex()
    observe.swap_stuck(hashlock, error.code if isinstance(error, BmnError) else "UNEXPECTED", claimed.attempts)


async def _sweep(deps: ResolverDeps) -> None:
    """Wake what was not looked at for a while: losing an event changes when, never what."""
    while True:
        with suppress(TransientError):
            async with transaction(deps.pool) as conn:
                for hashlock in sorted(await load_open_hashlocks(conn, _IDLE_SECONDS)):  # one order, against deadlocks
                    await wake_swap(conn, hashlock, trace="not looked at for a while")
            deps.wake.signal_here()
        await deps.clock.sleep(_SWEEP_SECONDS)
