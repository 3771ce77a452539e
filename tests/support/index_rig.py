"""The journal of one local chain, read step by step on a real database."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.support.swap_on_chain import SwapOnChain, height, spec_of
from tests.support.worlds import client_of

from bmn.core.chain import ChainSpec
from bmn.core.signed_order import parse_swap_terms
from bmn.devnet.world import DevChain
from bmn.evm.client import RpcChain
from bmn.evm.types import Endpoint
from bmn.indexer import IndexerDeps
from bmn.indexer.follow import Follower
from bmn.pg.leases import Lease, acquire
from bmn.pg.pool import Pool, connection, open_pool, transaction
from bmn.pg.wake import Wake
from bmn.seams import SystemClock
from bmn.store.journal import StoredHead, load_head
from bmn.store.orders import save_order
from bmn.store.swaps import create_swap


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexRig:
    """What a test of the indexer needs."""

    dev: DevChain
    chain: RpcChain
    pool: Pool
    spec: ChainSpec
    follower: Follower
    sockets: Sequence[Endpoint]
    """Whose pushed heads `deps` listens to."""

    def deps(self, holder: str) -> IndexerDeps:
        return IndexerDeps(
            pool=self.pool,
            chains={self.spec.id: self.chain},
            specs={self.spec.id: self.spec},
            sockets={self.spec.id: self.sockets},
            wake=Wake(),
            clock=SystemClock(),
            holder=holder,
        )

    async def read(self) -> None:
        """Bring the journal to the head."""
        await self.follower.catch_up(None)

    async def accept(self, swap: SwapOnChain) -> None:
        """Make it a swap of ours."""
        terms = parse_swap_terms(swap.signed, self.spec.domain)
        async with transaction(self.pool) as conn:
            assert await save_order(conn, swap.signed, terms)
            await create_swap(conn, terms.hashlock, terms.src_chain, terms.dst_chain, actor="test")

    async def head(self) -> StoredHead:
        async with connection(self.pool) as conn:
            stored = await load_head(conn, self.spec.id)
        assert stored is not None
        return stored

    async def woken(self) -> set[tuple[str, str]]:
        """Take the messages: queue and hashlock of each."""
        return {(row[0], row[1]) for row in await self.rows("DELETE FROM messages RETURNING queue, dedup")}

    async def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        async with connection(self.pool) as conn:
            return [tuple(row.values()) for row in await conn.fetch(query, *values)]

    async def journal(self) -> list[tuple[Any, ...]]:
        """Everything but when it was seen, in the order of the chain."""
        return await self.rows(
            """
            SELECT block_number, log_index, block_hash, block_time, tx_hash, emitter, kind, hashlock, order_hash,
                   escrow, secret, body, is_foreign, orphaned_at IS NULL
            FROM journal ORDER BY block_number, log_index, block_hash
            """
        )


@asynccontextmanager
async def open_index_rig(
    dev: DevChain,
    dsn: str,
    *,
    start_block: int | None = None,
    endpoints: Sequence[Endpoint] = (),
    answer_within: float = 5.0,
) -> AsyncIterator[IndexRig]:
    """A journal that begins at `start_block`, by default with the next block, read by default from the node itself."""
    endpoints = endpoints or [dev.anvil.endpoint]
    first = await height(dev.anvil) + 1 if start_block is None else start_block
    spec = spec_of(dev, start_block=first)
    async with client_of(dev, endpoints, answer_within=answer_within) as chain, open_pool(dsn, size=8) as pool:
        follower = Follower(pool=pool, chain=chain, spec=spec, lease=await _lease(pool, spec), wake=Wake())
        yield IndexRig(dev=dev, chain=chain, pool=pool, spec=spec, follower=follower, sockets=endpoints)


async def _lease(pool: Pool, spec: ChainSpec) -> Lease:
    async with connection(pool) as conn:
        lease = await acquire(
            conn, f"indexer:{spec.name}", "test", 0.001
        )  # ended at once, ours until somebody takes it
    assert lease is not None
    return lease
