"""Writing blocks to the journal, and taking them back: one transaction each, wake-ups included."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bmn.core.chain import ChainSpec
from bmn.core.errors import TransientError
from bmn.core.units import BlockHash, BlockNumber, ChainId, Hashlock, UnixTime
from bmn.evm.types import Head, Log
from bmn.indexer.classify import Decoded, News, classify, decode_logs, named_hashlocks
from bmn.messages import AdvanceSwap, DeployDstEscrow, Kind, MonitorSecret, WithdrawSrcEscrow, wake_swap
from bmn.observe import indexer as observe
from bmn.pg.leases import Lease, check_fence
from bmn.pg.pool import Connection, Pool, transaction
from bmn.seams.crash import crashpoint
from bmn.store.journal import (
    StoredHead,
    add_strangers,
    confirm_head,
    load_head,
    load_known_escrows,
    orphan_above,
    save_block,
    save_escrows,
    save_events,
    save_head,
)
from bmn.store.projections import BEFORE_ALL, OutOfStep, add_rows, catch_up, remove_rows
from bmn.store.watched import Concerned, load_concerned, load_known_hashlocks, take_due_swaps


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockRun:
    """The blocks after the stored head, up to and with `last`; or the very first block, without logs."""

    last: Head
    logs: tuple[Log, ...]
    """Of all of them."""
    times: Mapping[BlockHash, UnixTime]
    """Times of the blocks that have logs."""
    final_time: UnixTime
    """Time of the block at `last.number - depth`; 0 if there is none."""
    is_newest: bool
    """The chain had no later block when we asked."""


def reorg_window(spec: ChainSpec) -> int:
    """Return how many blocks below the head a reorganisation is undone; deeper ones stop the chain."""
    return max(2 * spec.depth, 128)


async def write_blocks(pool: Pool, spec: ChainSpec, lease: Lease, *, stored: StoredHead | None, run: BlockRun) -> bool:
    """Add a run that builds on `stored`; return whether a swap was woken.

    Raises:
        LostLease: another process follows this chain now.
        TransientError: `HEAD_MOVED`, or the database is away; look at the stored head again.
    """
    crashpoint("indexer.block_read")
    decoded = decode_logs(run.logs, run.times)
    while True:
        try:
            woke = await _write(pool, spec, lease, stored, run, decoded)
        except OutOfStep:
            await rebuild(pool, spec, lease)
        else:
            crashpoint("indexer.block_written")
            return woke


async def rebuild(pool: Pool, spec: ChainSpec, lease: Lease) -> None:
    """Bring the tables for readers to where the journal of a chain is, from the journal alone.

    Raises:
        LostLease: another process follows this chain now.
        TransientError: the database is away.
    """
    done = False
    while not done:
        async with transaction(pool) as conn:
            await check_fence(conn, lease)
            head = await load_head(conn, spec.id)
            done = await catch_up(conn, spec.id, None if head is None else head.number)
    observe.projections_rebuilt(spec.name)


async def _write(
    pool: Pool, spec: ChainSpec, lease: Lease, stored: StoredHead | None, run: BlockRun, decoded: Sequence[Decoded]
) -> bool:
    last = run.last
    final_number, final_time = BlockNumber(last.number - spec.depth), run.final_time
    if stored is not None and stored.final_number > final_number:
        final_number, final_time = stored.final_number, stored.final_time
    async with transaction(pool) as conn:
        await check_fence(conn, lease)
        await _check_unmoved(conn, spec.id, stored)
        news = await _classified(conn, spec, decoded)
        await _save_news(conn, spec.id, news)
        await add_rows(
            conn,
            spec.id,
            above=BEFORE_ALL if stored is None else stored.number,
            up_to=last.number,
            kinds=frozenset(event.kind for event in news.events),
        )
        await save_block(
            conn,
            spec.id,
            number=last.number,
            block_hash=last.hash,
            parent_hash=last.parent_hash,
            time=last.timestamp,
            keep=reorg_window(spec),
        )
        await save_head(
            conn,
            spec.id,
            number=last.number,
            block_hash=last.hash,
            time=last.timestamp,
            final_number=final_number,
            final_time=final_time,
            is_newest=run.is_newest,
        )
        due: dict[Hashlock, Kind] = dict.fromkeys(await take_due_swaps(conn, spec.id, last.timestamp), AdvanceSwap)
        if stored is not None:
            fresh = await load_concerned(conn, spec.id, above=stored.number, up_to=last.number)
            final = await load_concerned(conn, spec.id, above=stored.final_number, up_to=final_number)
            for swap in (*final, *fresh):
                due[swap.hashlock] = min(due.get(swap.hashlock, AdvanceSwap), _why(swap), key=_URGENCY.index)
        await _wake(conn, due, f"{spec.name} block {last.number}")
    _observe(spec.name, news, last.number)
    return bool(due)


async def confirm(pool: Pool, spec: ChainSpec, lease: Lease, head: Head) -> None:
    """Say that the journal, if it is at `head`, is at the newest block of the chain now.

    Raises:
        LostLease: another process follows this chain now.
        TransientError: the database is away.
    """
    async with transaction(pool) as conn:
        await check_fence(conn, lease)
        await confirm_head(conn, spec.id, head.hash)


async def take_back(pool: Pool, spec: ChainSpec, lease: Lease, *, stored: StoredHead, ancestor: Head) -> bool:
    """Orphan everything above `ancestor`; return whether a swap was woken.

    Raises:
        LostLease: another process follows this chain now.
        TransientError: `HEAD_MOVED`, or the database is away; look at the stored head again.
    """
    while True:
        try:
            return await _take_back(pool, spec, lease, stored, ancestor)
        except OutOfStep:
            await rebuild(pool, spec, lease)


async def _take_back(pool: Pool, spec: ChainSpec, lease: Lease, stored: StoredHead, ancestor: Head) -> bool:
    was_final = ancestor.number < stored.final_number
    async with transaction(pool) as conn:
        await check_fence(conn, lease)
        await _check_unmoved(conn, spec.id, stored)
        concerned = await load_concerned(conn, spec.id, above=ancestor.number, up_to=stored.number)
        await remove_rows(conn, spec.id, above=ancestor.number, up_to=stored.number)
        await orphan_above(conn, spec.id, ancestor.number)
        await save_head(
            conn,
            spec.id,
            number=ancestor.number,
            block_hash=ancestor.hash,
            time=ancestor.timestamp,
            final_number=ancestor.number if was_final else stored.final_number,
            final_time=ancestor.timestamp if was_final else stored.final_time,
            is_newest=False,
        )
        reasons = {swap.hashlock: WithdrawSrcEscrow if swap.has_secret else AdvanceSwap for swap in concerned}
        await _wake(conn, reasons, f"{spec.name} back to block {ancestor.number}")
    observe.blocks_orphaned(spec.name, ancestor.number, stored.number - ancestor.number, was_final=was_final)
    return bool(concerned)


async def _check_unmoved(conn: Connection, chain_id: ChainId, stored: StoredHead | None) -> None:
    """Refuse to build on a head that is not the stored one any more."""
    now = await load_head(conn, chain_id)
    if (None if now is None else now.hash) != (None if stored is None else stored.hash):
        raise TransientError("HEAD_MOVED", "the journal moved on while a block was read")


async def _classified(conn: Connection, spec: ChainSpec, decoded: Sequence[Decoded]) -> News:
    if not decoded:
        return News(events=(), escrows=(), strangers=())
    return classify(
        decoded,
        contracts=spec.contracts,
        known=await load_known_hashlocks(conn, named_hashlocks(decoded)),
        escrows=await load_known_escrows(conn, spec.id, {one.emitter for one in decoded}),
    )


async def _save_news(conn: Connection, chain_id: ChainId, news: News) -> None:
    if news.events:
        await save_events(conn, chain_id, news.events)
    if news.escrows:
        await save_escrows(conn, chain_id, news.escrows)
    if news.strangers:
        await add_strangers(conn, chain_id, news.strangers)


_URGENCY: Final[Sequence[Kind]] = (WithdrawSrcEscrow, MonitorSecret, DeployDstEscrow, AdvanceSwap)


def _why(swap: Concerned) -> Kind:
    """Return the most urgent reason to look at a swap."""
    if swap.has_secret:
        return WithdrawSrcEscrow
    if swap.has_dst:
        return MonitorSecret
    return DeployDstEscrow if swap.has_src else AdvanceSwap


async def _wake(conn: Connection, swaps: Mapping[Hashlock, Kind], trace: str) -> None:
    """Wake each swap for its reason; in one order for everybody, against deadlocks."""
    for hashlock in sorted(swaps):
        await wake_swap(conn, hashlock, swaps[hashlock], trace=trace)


def _observe(chain: str, news: News, number: int) -> None:
    events = Counter((event.kind.value, event.is_foreign) for event in news.events)
    for (kind, is_foreign), count in events.items():
        observe.events_indexed(chain, kind, count, is_foreign=is_foreign)
    strangers = Counter(kind.value for kind, _ in news.strangers)
    for kind, count in strangers.items():
        observe.strangers_counted(chain, kind, count)
    observe.blocks_indexed(chain, number)
