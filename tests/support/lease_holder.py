"""A process that takes a lease once and writes under it until it is refused. Arguments: DSN NAME TTL."""

import asyncio
import sys

from bmn.core.errors import TransientError
from bmn.pg.errors import LostLease
from bmn.pg.leases import Lease, acquire, check_fence
from bmn.pg.pool import Pool, connection, open_pool, transaction


async def main() -> None:
    dsn, name, ttl = sys.argv[1], sys.argv[2], float(sys.argv[3])
    async with open_pool(dsn, size=1) as pool:
        async with connection(pool) as conn:
            lease = await acquire(conn, name, "process", ttl)
        assert lease is not None
        while await write(pool, lease):
            pass
    print("refused", flush=True)


async def write(pool: Pool, lease: Lease) -> bool:
    """Whether to go on: a cut connection is no reason to stop, the fence is."""
    try:
        async with transaction(pool) as conn:
            await check_fence(conn, lease)
            await conn.execute("INSERT INTO writes (token) VALUES ($1)", lease.token)
    except LostLease:
        return False
    except TransientError:
        pass
    return True


asyncio.run(main())
