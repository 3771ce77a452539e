"""A process that holds a lease and writes under it as fast as it can. Arguments: DSN NAME TTL; says when it lost it."""

import asyncio
import sys
from contextlib import suppress

from bmn.core.errors import TransientError
from bmn.pg.errors import LostLease
from bmn.pg.leases import Lease, check_fence, hold_lease
from bmn.pg.pool import Pool, open_pool, transaction
from bmn.seams import SystemClock


async def main() -> None:
    dsn, name, ttl = sys.argv[1], sys.argv[2], float(sys.argv[3])
    async with open_pool(dsn, size=3) as pool:
        try:
            async with hold_lease(pool, name, "process", ttl=ttl, clock=SystemClock()) as lease:
                print("held", flush=True)
                await write_for_ever(pool, lease)
        except LostLease:
            print("lost", flush=True)


async def write_for_ever(pool: Pool, lease: Lease) -> None:
    while True:
        with suppress(TransientError):  # a cut connection, or the fence: try again, as a stubborn process would
            async with transaction(pool) as conn:
                await check_fence(conn, lease)
                await conn.execute("INSERT INTO writes (token) VALUES ($1)", lease.token)


asyncio.run(main())
