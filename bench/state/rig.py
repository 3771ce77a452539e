"""Our engine as production runs it, on a new data directory: embedded PostgreSQL, pool, wake-ups, key-value store."""

import asyncio
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bmn.app import LOCATIONS
from bmn.core.errors import InvariantViolation
from bmn.pg.beside import running
from bmn.pg.embedded import open_database
from bmn.pg.kv import Kv, open_kv
from bmn.pg.migrate import upgrade
from bmn.pg.pool import Pool, connection, open_pool
from bmn.pg.queue import Claimed
from bmn.pg.wake import Wake, run_wake
from bmn.pg.worker import run_worker
from bmn.seams import SystemClock, SystemRng

QUEUE = "bench"
CONCURRENCY = 100
"""Messages at once; the peer's own limit."""

_DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rig:
    """The engine of one process."""

    dsn: str
    pool: Pool
    kv: Kv
    wake: Wake


@contextmanager
def new_home(under: Path) -> Iterator[Path]:
    """Make a home that the server's user may enter, and remove it with its data."""
    home = Path(tempfile.mkdtemp(prefix="bmn-bench-", dir=under))
    home.chmod(0o755)
    try:
        yield home
    finally:
        data = (home / "postgres").resolve()  # root's data may lie elsewhere, behind a link
        shutil.rmtree(data, ignore_errors=True)
        shutil.rmtree(home)


@asynccontextmanager
async def open_rig(home: Path) -> AsyncIterator[Rig]:
    """Start the engine of `home` and check that it keeps what it has answered.

    SIGTERM cancels the caller's task, so that the server stops with us.
    """
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    async with open_database(home, None) as dsn:
        await upgrade(dsn, LOCATIONS)
        async with join_rig(dsn) as rig:
            await check_durable(rig.pool)
            yield rig


@asynccontextmanager
async def join_rig(dsn: str) -> AsyncIterator[Rig]:
    """Use the engine at `dsn` from this process."""
    wake = Wake()
    async with open_pool(dsn) as pool, running(run_wake(dsn, wake, SystemClock())), open_kv(pool, wake) as kv:
        yield Rig(dsn=dsn, pool=pool, kv=kv, wake=wake)


async def check_durable(pool: Pool) -> None:
    """Refuse to measure a server that answers before it has written.

    Raises:
        InvariantViolation: `NOT_DURABLE`.
    """
    async with connection(pool) as conn:
        for name, wanted in _DURABLE.items():
            value = await conn.fetchval(f"SHOW {name}")
            if value != wanted:
                raise InvariantViolation("NOT_DURABLE", f"{name} is {value}; nothing is measured like this")


@asynccontextmanager
async def working(rig: Rig, handle: Callable[[Claimed], Awaitable[None]]) -> AsyncIterator[None]:
    """Have a worker handle the queue's messages while the block runs."""
    worker = partial(run_worker, concurrency=CONCURRENCY, wake=rig.wake, clock=SystemClock(), rng=SystemRng())
    async with running(worker(rig.pool, [QUEUE], handle)):
        yield
