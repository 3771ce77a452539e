"""What jobs need, on a real database and without chains."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.support.api_values import SPECS

from bmn.core.units import ChainId
from bmn.evm.client import ChainReader
from bmn.jobs.deps import Health, JobDeps, Purse
from bmn.pg.kv import open_kv
from bmn.pg.pool import Pool, connection
from bmn.pg.wake import Wake
from bmn.seams import Clock, SystemClock


@dataclass(frozen=True, kw_only=True)
class Component:
    healthy: bool = True
    detail: str = "answers"
    head_age: float | None = None


@asynccontextmanager
async def open_job_deps(
    pool: Pool,
    *,
    clock: Clock | None = None,
    components: Mapping[str, Health] | None = None,
    chains: Mapping[ChainId, ChainReader] | None = None,
    purses: Sequence[Purse] = (),
) -> AsyncIterator[JobDeps]:
    """Components may be changed between runs."""

    async def check_components() -> Mapping[str, Health]:
        return components or {}

    wake = Wake()
    async with open_kv(pool, wake) as kv:
        yield JobDeps(
            pool=pool,
            kv=kv,
            wake=wake,
            clock=clock or SystemClock(),
            instance="test",
            specs=SPECS,
            chains=chains or {},
            purses=purses,
            check_components=check_components,
        )


async def waiting(pool: Pool) -> dict[str, str]:
    """Return the kind of the message that waits for each swap, by 0x-hex of its hashlock."""
    async with connection(pool) as conn:
        rows = await conn.fetch("SELECT kind, key FROM messages WHERE kind NOT LIKE 'new_order%' ORDER BY id")
    return {"0x" + row["key"].hex(): row["kind"] for row in rows}
