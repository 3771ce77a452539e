"""However the journal got to a head — in ranges, block by block, twice, after a kill or a reorg — it says the same."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from itertools import count

import pytest
from tests.support.index_rig import IndexRig, open_index_rig
from tests.support.postgres import fresh_database
from tests.support.swap_on_chain import SwapOnChain, height, make_swap

from bmn.core.errors import TransientError
from bmn.core.units import BlockHash, BlockNumber
from bmn.devnet.world import Devnet
from bmn.indexer import indexer_status, run_indexer
from bmn.indexer.follow import ChainHalted
from bmn.indexer.write import reorg_window
from bmn.pg.errors import LostLease
from bmn.pg.leases import acquire
from bmn.pg.pool import connection
from bmn.store.journal import confirm_head, load_escrows, load_head

_numbers = count(1000)
_PATIENCE = 20.0


async def a_swap(rig: IndexRig) -> SwapOnChain:
    return await make_swap(rig.dev, next(_numbers))


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(_PATIENCE):
        while not await holds():
            await asyncio.sleep(0.02)


async def is_read(rig: IndexRig, number: int) -> bool:
    async with connection(rig.pool) as conn:
        head = await load_head(conn, rig.spec.id)
    return head is not None and head.number >= number


async def test_ranges_and_single_blocks_give_the_same_rows(rig: IndexRig, postgres: str, index_template: str) -> None:
    window = reorg_window(rig.spec)
    for _ in range(3):
        swap = await a_swap(rig)
        await rig.accept(swap)
        filled = await swap.fill()
        locked = await swap.lock()
        await swap.pay(locked)
        await swap.claim(filled)
        await rig.read()  # block by block: the head is never far
        await rig.dev.anvil.mine(30)
    await rig.dev.anvil.mine(window)
    await rig.read()
    with fresh_database(postgres, template=index_template) as dsn:
        async with open_index_rig(rig.dev, dsn, start_block=rig.spec.start_block) as late:
            late.follower.width = 7
            await late.read()
            assert await late.journal() == await rig.journal()
            assert len(await late.journal()) >= 3 * 6
            await rig.dev.anvil.mine()
            await rig.read()
            await late.read()
            assert (await late.head()).final_time == (await rig.head()).final_time
            assert (await late.head()).hash == (await rig.head()).hash


async def test_reading_the_same_head_again_changes_nothing(rig: IndexRig) -> None:
    swap = await a_swap(rig)
    await rig.accept(swap)
    await swap.fill()
    await rig.read()
    before, messages = await rig.journal(), await rig.woken()
    assert messages
    await rig.read()
    assert await rig.journal() == before
    assert await rig.woken() == set()


async def test_a_reorg_takes_rows_back_and_wakes_their_swaps(rig: IndexRig) -> None:
    swap = await a_swap(rig)
    await rig.accept(swap)
    await rig.read()
    base = (await rig.head()).number
    await swap.fill()
    await swap.lock()
    await rig.read()
    await rig.woken()
    await rig.dev.anvil.reorg(2)
    await rig.dev.anvil.mine()
    await rig.read()
    async with connection(rig.pool) as conn:
        assert await load_escrows(conn, swap.secret.hashlock) == []
    assert [row[-1] for row in await rig.journal()] == [False] * len(await rig.journal())
    assert await rig.journal()
    assert ("orders:execution", str(swap.secret.hashlock)) in await rig.woken()
    assert (await rig.head()).number == base + 3


async def test_what_is_mined_again_after_a_reorg_stands_again(rig: IndexRig) -> None:
    swap = await a_swap(rig)
    await rig.accept(swap)
    first = await swap.fill()
    await rig.read()
    await rig.dev.anvil.reorg(1)
    await rig.read()
    second = await swap.fill()
    await rig.read()
    assert second >= first
    async with connection(rig.pool) as conn:
        (escrow,) = await load_escrows(conn, swap.secret.hashlock)
    assert escrow.immutables == swap.src(second)


async def test_rows_of_a_block_that_comes_back_stand_again_once(rig: IndexRig) -> None:
    swap = await a_swap(rig)
    await rig.accept(swap)
    await swap.fill()
    await rig.read()
    before = await rig.journal()
    await rig.rows("UPDATE journal SET orphaned_at = now()")
    await rig.rows("UPDATE escrows SET orphaned_at = now()")
    head = await rig.head()
    parent = await rig.chain.block(BlockNumber(head.number - 1))
    assert parent is not None
    await rig.rows("DELETE FROM chain_blocks WHERE number = $1", head.number)
    await rig.rows("UPDATE chain_heads SET number = $1, hash = $2", parent.number, parent.hash)
    await rig.read()
    assert await rig.journal() == before
    async with connection(rig.pool) as conn:
        assert len(await load_escrows(conn, swap.secret.hashlock)) == 1


async def test_a_shorter_chain_is_a_reorg_once_it_differs(rig: IndexRig) -> None:
    await rig.dev.anvil.mine(3)
    await rig.read()
    before = await rig.head()
    await rig.dev.anvil.rollback(2)
    await rig.read()
    assert (await rig.head()).hash == before.hash  # nothing contradicts it yet
    await rig.dev.anvil.rpc("anvil_setCoinbase", "0x" + "77" * 20)
    await rig.dev.anvil.mine()
    await rig.read()
    assert (await rig.head()).number == before.number - 1


async def test_a_reorg_below_everything_known_halts_and_changes_nothing(rig: IndexRig) -> None:
    await rig.dev.anvil.mine()
    await rig.read()
    await rig.rows("UPDATE chain_blocks SET hash = $1", bytes(32))
    await rig.rows("UPDATE chain_heads SET hash = $1", bytes(32))
    before = await rig.rows("SELECT * FROM chain_heads")
    await rig.dev.anvil.mine()
    with pytest.raises(ChainHalted, match="REORG_TOO_DEEP"):
        await rig.read()
    assert await rig.rows("SELECT * FROM chain_heads") == before


async def test_a_halted_chain_says_why_and_frees_its_lease(rig: IndexRig) -> None:
    await rig.read()
    await rig.rows("UPDATE chain_blocks SET hash = $1", bytes(32))
    await rig.rows("UPDATE chain_heads SET hash = $1", bytes(32))
    await asyncio.wait_for(run_indexer(rig.deps("one")), _PATIENCE)  # returns: no chain is left to follow
    async with connection(rig.pool) as conn:
        (status,) = await indexer_status(conn, [rig.spec], now=0.0)
        assert status.halted is not None
        assert "REORG_TOO_DEEP" in status.halted
        assert await acquire(conn, f"indexer:{rig.spec.name}", "two", 1.0) is not None


async def test_a_process_that_lost_its_lease_writes_nothing(rig: IndexRig) -> None:
    await rig.read()
    async with connection(rig.pool) as conn:
        assert await acquire(conn, f"indexer:{rig.spec.name}", "another", 60.0) is not None
    before = await rig.head()
    await rig.dev.anvil.mine()
    with pytest.raises(LostLease):
        await rig.read()
    assert await rig.head() == before


async def test_a_killed_indexer_goes_on_without_a_gap(rig: IndexRig) -> None:
    swap = await a_swap(rig)
    await rig.accept(swap)
    for step in (swap.fill, swap.lock, swap.fill):
        running = asyncio.create_task(run_indexer(rig.deps("worker")))
        with suppress(AssertionError):
            await step()
        await until(lambda: is_read_any(rig))
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await rig.dev.anvil.mine(3)
    running = asyncio.create_task(run_indexer(rig.deps("last")))
    target = await height(rig.dev.anvil)
    await until(lambda: is_read(rig, target))
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    numbers = [row[0] for row in await rig.rows("SELECT number FROM chain_blocks ORDER BY number")]
    assert numbers == list(range(numbers[0], target + 1))
    async with connection(rig.pool) as conn:
        assert len(await load_escrows(conn, swap.secret.hashlock)) == 2


async def is_read_any(rig: IndexRig) -> bool:
    return await is_read(rig, 0)


async def test_the_service_follows_new_blocks_and_tells_how_far_it_is(rig: IndexRig) -> None:
    swap = await a_swap(rig)
    await rig.accept(swap)
    running = asyncio.create_task(run_indexer(rig.deps("service")))
    try:
        await swap.fill()
        target = await height(rig.dev.anvil)
        await until(lambda: is_read(rig, target))
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
    assert await rig.woken() == {("orders:execution", str(swap.secret.hashlock))}
    async with connection(rig.pool) as conn:
        (status,) = await indexer_status(conn, [rig.spec], now=float((await rig.head()).time + 3))
    assert (status.number, status.behind_seconds, status.halted) == (target, 3.0, None)


async def test_an_endpoint_that_is_behind_is_waited_for(rig: IndexRig, world: Devnet) -> None:
    await rig.dev.anvil.mine(2)
    await rig.read()
    head = await rig.chain.block((await rig.head()).number)
    assert head is not None
    await rig.dev.anvil.rollback(1)
    lagging = await rig.head()
    with suppress(TransientError):
        await rig.follower.catch_up(head)
    assert replace(await rig.head(), seen_at=lagging.seen_at) == lagging


async def test_a_chain_that_stands_still_is_known_to_be_at_its_head(rig: IndexRig) -> None:
    await rig.dev.anvil.mine()
    await rig.read()
    first = await rig.head()
    await rig.read()
    assert (await rig.head()).seen_at > first.seen_at
    still = await rig.head()
    async with connection(rig.pool) as conn:
        await confirm_head(conn, rig.spec.id, BlockHash(bytes(32)))
    assert await rig.head() == still
