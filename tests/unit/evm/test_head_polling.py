"""Following heads by polling alone, with time moved by hand."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest
from tests.support.hand_clock import HandClock

from bmn.core.errors import ChainError
from bmn.core.units import BlockHash, BlockNumber, UnixTime, Wei
from bmn.evm.heads import STALL_BLOCKS, follow_heads
from bmn.evm.types import BlockRef, BlockTag, Head
from bmn.seams import SystemSpawner


def head(number: int, fork: int = 0) -> Head:
    return Head(
        number=BlockNumber(number),
        hash=BlockHash(bytes((fork,)) + number.to_bytes(31, "big")),
        parent_hash=BlockHash(bytes((fork,)) + (number - 1).to_bytes(31, "big")),
        timestamp=UnixTime(1_700_000_000 + number),
        base_fee=Wei(7),
        logs_bloom=bytes(256),
    )


class Chain:
    """Answers its head and counts how often it was asked."""

    def __init__(self) -> None:
        self.head: Head | None = head(100)
        self.highest: Head | None = None
        """Of all endpoints, if another has more."""
        self.asked = 0
        self.asked_all = 0

    async def block(self, ref: BlockRef) -> Head | None:
        assert ref is BlockTag.HEAD
        self.asked += 1
        if self.head is None:
            raise ChainError("RPC_UNREACHABLE", "down")
        return self.head

    async def highest_head(self) -> Head:
        self.asked_all += 1
        self.head = self.highest or self.head
        found = await self.block(BlockTag.HEAD)
        assert found is not None
        return found


class Following:
    def __init__(self, heads: AsyncIterator[Head], clock: HandClock) -> None:
        self.clock = clock
        self.seen: list[Head] = []
        self._heads = heads

    async def read(self) -> None:
        async for each in self._heads:
            self.seen.append(each)

    async def until(self, seconds: float) -> list[int]:
        await self.clock.advance(seconds)
        return [each.number for each in self.seen]


@asynccontextmanager
async def following(chain: Chain, *, block_time: float = 2.0) -> AsyncIterator[Following]:
    clock = HandClock()
    async with asyncio.TaskGroup() as group:
        heads = follow_heads(
            chain, name="base", block_time=block_time, sockets=[], clock=clock, spawner=SystemSpawner(group)
        )
        async with aclosing(heads):
            follower = Following(heads, clock)
            reader = group.create_task(follower.read())
            try:
                yield follower
            finally:
                reader.cancel()
                await asyncio.wait([reader])


async def test_the_present_head_comes_at_once_and_each_head_once() -> None:
    chain = Chain()
    async with following(chain) as follower:
        assert await follower.until(0) == [100]
        assert await follower.until(10) == [100]
        chain.head = head(101)
        assert await follower.until(5) == [100, 101]


async def test_a_punctual_chain_costs_few_polls_and_is_seen_soon_after_each_block() -> None:
    chain = Chain()
    async with following(chain) as follower:
        await follower.until(0)
        for number in range(101, 121):
            await follower.until(2.0)
            chain.head = head(number)
            assert (await follower.until(0.25))[-1] == number
        assert chain.asked <= 20 * 4


async def test_a_reorganised_head_is_handed_on_sideways_and_downwards() -> None:
    chain = Chain()
    async with following(chain) as follower:
        await follower.until(0)
        chain.head = head(100, fork=1)
        await follower.until(5)
        chain.head = head(98, fork=2)
        await follower.until(5)
        assert [(each.number, each.hash[0]) for each in follower.seen] == [(100, 0), (100, 1), (98, 2)]


async def test_an_endpoint_that_flaps_between_known_heads_yields_nothing() -> None:
    chain = Chain()
    async with following(chain) as follower:
        for number in (100, 101, 100, 101, 100):
            chain.head = head(number)
            await follower.until(5)
        assert [each.number for each in follower.seen] == [100, 101]


async def test_an_outage_is_outlived() -> None:
    chain = Chain()
    chain.head = None
    async with following(chain) as follower:
        assert await follower.until(60) == []
        chain.head = head(100)
        assert await follower.until(4.0) == [100]
        chain.head = None
        await follower.until(3600)
        chain.head = head(101)
        assert await follower.until(4.0) == [100, 101]


@pytest.mark.parametrize("block_time", [0.25, 1.0, 12.0])
async def test_a_silent_chain_is_polled_at_most_once_in_two_block_times(block_time: float) -> None:
    chain = Chain()
    async with following(chain, block_time=block_time) as follower:
        await follower.until(100 * block_time)
        before = chain.asked
        await follower.until(100 * block_time)
        assert 49 <= chain.asked - before <= 51


async def test_an_endpoint_that_stands_still_is_left_after_three_block_times() -> None:
    chain = Chain()
    async with following(chain) as follower:
        await follower.until(0)
        chain.highest = head(103)
        assert await follower.until(STALL_BLOCKS * 2.0 - 0.1) == [100]
        assert chain.asked_all == 0
        assert await follower.until(1.0) == [100, 103]
        assert chain.asked_all == 1
        chain.highest = None
        for number in range(104, 120):
            chain.head = head(number)
            await follower.until(2.0)
        assert chain.asked_all == 1


async def test_while_the_chain_itself_stands_still_all_are_asked_ever_less_often() -> None:
    chain = Chain()
    async with following(chain) as follower:
        await follower.until(3600.0)
        assert 8 <= chain.asked_all <= 11  # 6 s, 12 s, 24 s, …


async def test_the_parent_of_a_head_that_was_handed_on_is_no_news() -> None:
    chain = Chain()
    async with following(chain) as follower:
        await follower.until(0)
        for number in (105, 104, 106):
            chain.head = head(number)
            await follower.until(5)
        assert [each.number for each in follower.seen] == [100, 105, 106]


async def test_closing_ends_the_polling() -> None:
    chain = Chain()
    async with following(chain) as follower:
        await follower.until(10)
    asked = chain.asked
    await follower.clock.advance(100)
    assert chain.asked == asked
