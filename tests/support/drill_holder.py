"""A process that writes under a lease whenever it holds it. Arguments: DSN, TTL, its name. Ends by SIGTERM."""

import asyncio
import signal
import sys
from contextlib import suppress

import structlog

from bmn.core.errors import TransientError
from bmn.observe.logs import configure_logs
from bmn.pg.beside import running
from bmn.pg.leases import Lease, check_fence, run_leased
from bmn.pg.pool import Pool, open_pool, transaction
from bmn.seams import SystemClock

_log = structlog.get_logger("drill")


async def main() -> None:
    """Take the lease, write, lose it, and so on."""
    dsn, ttl, name = sys.argv[1], float(sys.argv[2]), sys.argv[3]
    configure_logs(as_json=True)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with open_pool(dsn, size=4) as pool:

        async def work(lease: Lease) -> None:
            try:
                while True:
                    with suppress(TransientError):
                        await write(pool, lease, name)
            finally:
                # Sloppier than anything of ours: one more write after being told that the lease is lost.
                with suppress(TransientError):
                    await write(pool, lease, name)

        async with running(run_leased(pool, "drill", name, ttl=ttl, clock=SystemClock(), work=work)):
            _log.info("working")
            await stop.wait()


async def write(pool: Pool, lease: Lease, name: str) -> None:
    """Write once under the lease."""
    async with transaction(pool) as conn:
        await check_fence(conn, lease)
        await conn.execute("INSERT INTO drill_writes (token, holder) VALUES ($1, $2)", lease.token, name)


asyncio.run(main())
