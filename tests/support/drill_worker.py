"""A worker process of the drills. Argument: a JSON object, see `Setup`. Ends by SIGTERM."""

import asyncio
import signal
import sys
from contextlib import AsyncExitStack
from functools import partial

import msgspec
import structlog
from tests.support import drill_entries, drill_orders, drill_transfers

from bmn.observe.logs import configure_logs
from bmn.pg.beside import running
from bmn.pg.kv import open_kv
from bmn.pg.pool import open_pool
from bmn.pg.queue import Claimed
from bmn.pg.wake import Wake, run_wake
from bmn.pg.worker import LEASE_SECONDS, run_worker
from bmn.seams import SystemClock, SystemRng

_log = structlog.get_logger("drill")


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """What the process does."""

    dsn: str
    step: str
    """`rows`, `entries` or `transfers`: how a message is worked off."""
    call: float = 0.05
    """Seconds that each step waits for the world outside, which is what a swap does most of the time."""
    concurrency: int = 8
    lease: float = LEASE_SECONDS


def report(claimed: Claimed, error: Exception) -> None:
    """Say what a person would be told; no drill may cause that."""
    _log.error("reported", id=claimed.id, attempts=claimed.attempts, error=f"{type(error).__name__}: {error}")


async def main() -> None:
    """Work until told to stop."""
    setup = msgspec.json.decode(sys.argv[1], type=Setup)
    configure_logs(as_json=True)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    wake, clock = Wake(), SystemClock()
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(open_pool(setup.dsn, size=setup.concurrency + 4))
        await stack.enter_async_context(running(run_wake(setup.dsn, wake, clock)))
        kv = await stack.enter_async_context(open_kv(pool, wake))
        steps = {
            "rows": partial(drill_orders.move, pool, call=setup.call),
            "entries": partial(drill_entries.move, kv, call=setup.call),
            "transfers": partial(drill_transfers.move, pool),
        }
        worker = run_worker(
            pool,
            [drill_orders.QUEUE],
            steps[setup.step],
            concurrency=setup.concurrency,
            wake=wake,
            clock=clock,
            rng=SystemRng(),
            report=report,
            lease=setup.lease,
        )
        async with running(worker):
            _log.info("working")
            await stop.wait()


asyncio.run(main())
