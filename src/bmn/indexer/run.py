"""The indexer as a service: one task for each chain, each under its own lease."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Final

from bmn.core.chain import ChainSpec
from bmn.core.errors import TransientError
from bmn.core.units import ChainId
from bmn.evm.client import ChainClient
from bmn.evm.heads import follow_heads
from bmn.evm.types import Endpoint, Head
from bmn.indexer.follow import ChainHalted, Follower
from bmn.observe import indexer as observe
from bmn.pg.errors import LostLease
from bmn.pg.leases import Lease, check_fence, run_leased
from bmn.pg.pool import Pool, transaction
from bmn.pg.wake import Wake
from bmn.seams import Clock, Spawner, SystemSpawner
from bmn.store.journal import save_halt

LEASE_SECONDS: Final = 3.0
_RETRY_FIRST: Final = 0.05
_RETRY_MOST: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexerDeps:
    """What the indexer works with."""

    pool: Pool
    chains: Mapping[ChainId, ChainClient]
    specs: Mapping[ChainId, ChainSpec]
    """The chains to follow; each has a client."""
    sockets: Mapping[ChainId, Sequence[Endpoint]]
    """Endpoints that push heads; a chain without any is polled."""
    wake: Wake
    """Told after a commit that woke a swap."""
    clock: Clock
    holder: str
    """Names this process in its leases."""


async def run_indexer(deps: IndexerDeps) -> None:
    """Follow every chain until cancelled. A chain that cannot go on halts alone, until the next start."""
    async with asyncio.TaskGroup() as group:
        spawner = SystemSpawner(group)
        for spec in deps.specs.values():
            spawner.spawn(_run_chain(deps, spec, spawner), name=f"indexer:{spec.name}")


async def _run_chain(deps: IndexerDeps, spec: ChainSpec, spawner: Spawner) -> None:
    async def work(lease: Lease) -> None:
        try:
            await _follow(deps, spec, lease, spawner)
        except ChainHalted as halt:
            observe.chain_halted(spec.name, halt.code, halt.detail)
            with suppress(TransientError):  # for display only
                async with transaction(deps.pool) as conn:
                    await check_fence(conn, lease)
                    await save_halt(conn, spec.id, str(halt))

    name = f"indexer:{spec.name}"
    await run_leased(deps.pool, name, deps.holder, ttl=LEASE_SECONDS, clock=deps.clock, work=work)


async def _follow(deps: IndexerDeps, spec: ChainSpec, lease: Lease, spawner: Spawner) -> None:
    chain = deps.chains[spec.id]
    follower = Follower(pool=deps.pool, chain=chain, spec=spec, lease=lease, wake=deps.wake)
    heads = follow_heads(
        chain,
        name=spec.name,
        block_time=spec.block_time,
        sockets=deps.sockets.get(spec.id, ()),
        clock=deps.clock,
        spawner=spawner,
    )
    async with aclosing(heads):
        async for head in heads:
            await _catch_up(follower, head, deps.clock)


async def _catch_up(follower: Follower, head: Head, clock: Clock) -> None:
    """Try until the journal is at a head; what passes is waited for."""
    target: Head | None = head
    rest = _RETRY_FIRST
    while True:
        try:
            await follower.catch_up(target)
        except LostLease:
            raise
        except TransientError as error:
            observe.indexing_retried(follower.spec.name, error.code, error.detail)
            await clock.sleep(rest)
            rest = min(rest * 2, _RETRY_MOST)
            target = None  # the head we were told of may have left the chain
        else:
            return
