"""One chain: wide ranges while far behind, then block by block along parent hashes; reorganisations are taken back."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bmn.core.chain import ChainSpec
from bmn.core.errors import ChainError, PermanentError
from bmn.core.units import BlockHash, BlockNumber, UnixTime
from bmn.evm.bloom import bloom_mask, may_contain
from bmn.evm.client import ChainReader
from bmn.evm.failures import NODE_BEHIND, RANGE_TOO_WIDE
from bmn.evm.types import BlockTag, Head, Log
from bmn.indexer.classify import TOPICS
from bmn.indexer.write import BlockRun, confirm, reorg_window, take_back, write_blocks
from bmn.pg.leases import Lease
from bmn.pg.pool import Pool, connection
from bmn.pg.wake import Wake
from bmn.store.journal import StoredHead, load_block_hashes, load_block_time, load_head

RANGE_FIRST: Final = 1_000
RANGE_MOST: Final = 10_000
_LOGS_MANY: Final = 5_000
"""Logs in one answer above which the next range is narrower."""
_HEADERS_AT_ONCE: Final = 64
_MOVED: Final = "CHAIN_MOVED"
_MASKS: Final = tuple(bloom_mask(topic) for topic in TOPICS)


class ChainHalted(PermanentError):
    """The chain cannot be followed without a person; nothing was changed."""


@dataclass(slots=True, kw_only=True)
class Follower:
    """Brings the journal of one chain up to a head; remembers only how wide a range the endpoints grant."""

    pool: Pool
    chain: ChainReader
    spec: ChainSpec
    lease: Lease
    wake: Wake
    width: int = RANGE_FIRST
    """Blocks to ask for at once while far behind."""
    widest: int = RANGE_MOST
    """More was refused."""

    async def catch_up(self, head: Head | None) -> None:
        """Return once the journal is at `head` or beyond; None asks for the newest. Safe to repeat after any failure.

        Raises:
            ChainHalted: a reorganisation deeper than the window.
            LostLease: another process follows this chain now.
            TransientError: call again.
        """
        head = head or await self._newest()
        stored = await self._load() or await self._begin()
        compare_from = await self._divergence(stored, head)
        if compare_from is not None:
            stored = await self._take_back(stored, compare_from)
        if stored.hash == head.hash:
            await confirm(self.pool, self.spec, self.lease, head)
        while stored.number < head.number:
            settled = BlockNumber(head.number - reorg_window(self.spec))
            if stored.number < settled:
                stored = await self._read_range(stored, settled)
            else:
                stored = await self._read_on(stored, head)
            if stored.number < head.number:
                head = await self._newest()  # what we were told of may be long ago

    async def _begin(self) -> StoredHead:
        """Store the block before the first one to read; there are no logs in genesis."""
        first = await self._block(BlockNumber(max(self.spec.start_block - 1, 0)))
        return await self._write(None, first, (), {}, is_newest=False)

    async def _divergence(self, stored: StoredHead, head: Head) -> BlockNumber | None:
        """Return the height from which to look for the last common block downwards, None if we are on the chain."""
        if head.hash == stored.hash or (head.number == stored.number + 1 and head.parent_hash == stored.hash):
            return None
        there = await self.chain.block(stored.number)
        if there is not None:
            return None if there.hash == stored.hash else stored.number
        # The chain got shorter, or whoever answers is behind.
        there = await self._block(head.number)
        async with connection(self.pool) as conn:
            ours = await load_block_hashes(conn, self.spec.id, head.number)
        return head.number if ours.get(head.number, there.hash) != there.hash else None

    async def _take_back(self, stored: StoredHead, compare_from: BlockNumber) -> StoredHead:
        """Return to the last common block."""
        async with connection(self.pool) as conn:
            ours = await load_block_hashes(conn, self.spec.id, compare_from)
        numbers = list(ours)
        for start in range(0, len(numbers), _HEADERS_AT_ONCE):
            for head in await self._blocks(numbers[start : start + _HEADERS_AT_ONCE]):
                if head.hash == ours[head.number]:
                    if await take_back(self.pool, self.spec, self.lease, stored=stored, ancestor=head):
                        self.wake.signal()
                    return await self._reload()
        raise ChainHalted(
            "REORG_TOO_DEEP",
            f"{self.spec.name}: the last {len(ours)} blocks up to {compare_from} all left the chain",
            hint="check that the endpoints are on the right chain; if they are, the journal of this chain must be "
            "built anew",
        )

    async def _read_on(self, stored: StoredHead, head: Head) -> StoredHead:
        """Read the next blocks one by one."""
        last = min(head.number, stored.number + _HEADERS_AT_ONCE)
        run = [head] if last == stored.number + 1 == head.number else await self._blocks(_span(stored.number + 1, last))
        for block in run:
            self._check_builds_on(block, stored)
            logs = await self.chain.logs(block_hash=block.hash, topics=[TOPICS]) if _may_concern_us(block) else ()
            newest = block.number == head.number
            stored = await self._write(stored, block, logs, {block.hash: block.timestamp}, is_newest=newest)
        return stored

    async def _read_range(self, stored: StoredHead, settled: BlockNumber) -> StoredHead:
        """Read many blocks at once, all of them below the window of reorganisations."""
        first = BlockNumber(stored.number + 1)
        last = BlockNumber(min(stored.number + self.width, settled))
        end = await self._block(last)
        try:
            logs = await self.chain.logs_range(first, last, topics=[TOPICS])
        except ChainError as error:
            asked, self.width = self.width, max(self.width // 2, 1)
            if error.code == RANGE_TOO_WIDE and asked > 1:
                self.widest = self.width
                return stored
            raise
        heads = {head.number: head for head in await self._blocks(sorted({first, last, *_numbers(logs)}))}
        self._check_builds_on(heads[first], stored)
        if heads[last].hash != end.hash or any(heads[log.block_number].hash != log.block_hash for log in logs):
            raise ChainError(_MOVED, f"{self.spec.name}: blocks {first} to {last} changed while they were read")
        times = {head.hash: head.timestamp for head in heads.values()}
        stored = await self._write(stored, end, logs, times, is_newest=False)
        self.width = max(self.width // 2, 1) if len(logs) > _LOGS_MANY else min(self.width * 2, self.widest)
        return stored

    async def _write(
        self,
        stored: StoredHead | None,
        last: Head,
        logs: tuple[Log, ...],
        times: Mapping[BlockHash, UnixTime],
        *,
        is_newest: bool,
    ) -> StoredHead:
        final_time = await self._final_time(stored, last)
        run = BlockRun(last=last, logs=logs, times=times, final_time=final_time, is_newest=is_newest)
        if await write_blocks(self.pool, self.spec, self.lease, stored=stored, run=run):
            self.wake.signal()
        return await self._reload()

    async def _final_time(self, stored: StoredHead | None, last: Head) -> UnixTime:
        number = BlockNumber(last.number - self.spec.depth)
        if number < 0:
            return UnixTime(0)
        if stored is not None and number <= stored.final_number:
            return stored.final_time
        async with connection(self.pool) as conn:
            time = await load_block_time(conn, self.spec.id, number)
        return (await self._block(number)).timestamp if time is None else time

    def _check_builds_on(self, block: Head, stored: StoredHead) -> None:
        if block.parent_hash != stored.hash:
            raise ChainError(_MOVED, f"{self.spec.name}: block {block.number} does not build on the one before it")

    async def _load(self) -> StoredHead | None:
        async with connection(self.pool) as conn:
            return await load_head(conn, self.spec.id)

    async def _reload(self) -> StoredHead:
        stored = await self._load()
        assert stored is not None
        return stored

    async def _newest(self) -> Head:
        head = await self.chain.block(BlockTag.HEAD)
        if head is None:
            raise ChainError(NODE_BEHIND, f"{self.spec.name}: no endpoint has a head")
        return head

    async def _block(self, number: BlockNumber) -> Head:
        (head,) = await self._blocks([number])
        return head

    async def _blocks(self, numbers: Sequence[BlockNumber]) -> list[Head]:
        """Return headers from one endpoint, which must have them all."""
        heads: list[Head] = []
        for start in range(0, len(numbers), _HEADERS_AT_ONCE):
            asked = numbers[start : start + _HEADERS_AT_ONCE]
            for number, head in zip(asked, await self.chain.blocks(asked), strict=True):
                if head is None:
                    raise ChainError(NODE_BEHIND, f"{self.spec.name}: no endpoint has block {number} yet")
                heads.append(head)
        return heads


def _may_concern_us(block: Head) -> bool:
    """Whether the block may hold an event of ours. A chain that keeps no bloom says zero: then it may."""
    if block.is_empty:
        return False
    return not any(block.logs_bloom) or any(may_contain(block.logs_bloom, mask) for mask in _MASKS)


def _span(first: int, last: int) -> list[BlockNumber]:
    return [BlockNumber(number) for number in range(first, last + 1)]


def _numbers(logs: Iterable[Log]) -> set[BlockNumber]:
    return {log.block_number for log in logs}
