"""An index that is read through faulty endpoints, and everything it says, to compare with one read from the node."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any, Final

from tests.support.fault_proxy import FaultProxy, open_fault_proxy
from tests.support.index_rig import IndexRig, open_index_rig
from tests.support.swap_on_chain import height

from bmn.core.errors import TransientError
from bmn.devnet.world import DevChain
from bmn.indexer import IndexerDeps, run_indexer
from bmn.pg.pool import connection
from bmn.store.journal import load_head

PATIENCE: Final = 30.0
"""Seconds a test waits for what must come; two cores are shared."""

_TABLES: Final = (
    "src_escrow",
    "dst_escrow",
    "escrow_withdrawal",
    "escrow_cancellation",
    "atomic_swap",
    "order_fill",
    "order_cancellation",
    "bmn_transfer",
    "bmn_holder",
    "chain_statistics",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultyRig:
    """A journal of one chain behind proxies only."""

    rig: IndexRig
    proxies: tuple[FaultProxy, ...]

    def asked(self, method: str) -> int:
        return sum(proxy.calls[method] for proxy in self.proxies)


@asynccontextmanager
async def open_faulty_rig(
    dev: DevChain, dsn: str, *, start_block: int | None = None, endpoints: int = 1, answer_within: float = 5.0
) -> AsyncIterator[FaultyRig]:
    """A journal that begins at `start_block`, by default with the next block, behind so many proxies."""
    async with AsyncExitStack() as stack:
        proxies = [
            await stack.enter_async_context(open_fault_proxy(dev.anvil, name=f"faulty-{number}", seed=number))
            for number in range(1, endpoints + 1)
        ]
        named = [proxy.endpoint for proxy in proxies]
        rig = await stack.enter_async_context(
            open_index_rig(dev, dsn, start_block=start_block, endpoints=named, answer_within=answer_within)
        )
        yield FaultyRig(rig=rig, proxies=tuple(proxies))


async def said(rig: IndexRig) -> dict[str, list[tuple[Any, ...]]]:
    """Return the journal and every table for readers, in an order that does not tell when something was read."""
    tables = {table: await rig.rows(f"SELECT * FROM {table} ORDER BY id") for table in _TABLES}
    return tables | {"journal": await rig.journal()}


def both(one: IndexRig, other: IndexRig, holder: str) -> IndexerDeps:
    """Return what an indexer of two chains works with; both rigs are on one database."""
    first, second = one.deps(holder), other.deps(holder)
    return replace(
        first,
        chains={**first.chains, **second.chains},
        specs={**first.specs, **second.specs},
        sockets={**first.sockets, **second.sockets},
    )


@asynccontextmanager
async def running(deps: IndexerDeps) -> AsyncIterator[asyncio.Task[None]]:
    """Run the indexer beside the test."""
    task = asyncio.create_task(run_indexer(deps))
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(holds: Callable[[], Awaitable[bool]], within: float = PATIENCE) -> None:
    """Return once `holds` does."""
    async with asyncio.timeout(within):
        while not await holds():
            await asyncio.sleep(0.01)


async def stored_number(rig: IndexRig) -> int:
    """Return how far the journal of the rig's chain is, -1 before its first block."""
    async with connection(rig.pool) as conn:
        head = await load_head(conn, rig.spec.id)
    return -1 if head is None else head.number


async def is_read(rig: IndexRig, within: float = PATIENCE) -> None:
    """Return once the journal is at the node's head."""
    target = await height(rig.dev.anvil)

    async def at_head() -> bool:
        with suppress(TransientError):
            return await stored_number(rig) >= target
        return False

    await until(at_head, within)
