"""Nodes that lag, fall silent or left the chain, and a real reorganisation past the window."""

import asyncio
from collections.abc import Callable
from itertools import count
from statistics import median
from time import monotonic

import pytest
from tests.support.fault_rig import PATIENCE, both, is_read, open_faulty_rig, running, said, stored_number, until
from tests.support.fault_rules import Held
from tests.support.fault_sockets import Swapped, silent, twice
from tests.support.index_rig import IndexRig, open_index_rig
from tests.support.swap_on_chain import height, make_swap

from bmn.devnet.anvil import Anvil
from bmn.devnet.world import Devnet
from bmn.evm.preference import HEDGE_SAMPLES
from bmn.indexer import indexer_status
from bmn.indexer.write import reorg_window
from bmn.pg.pool import connection

_numbers = count(6000)


async def all_heads_alike(anvil: Anvil) -> None:
    """Make the next blocks other ones than any before at their height."""
    await anvil.rpc("anvil_setCoinbase", "0x" + "6d" * 20)


async def halted(rig: IndexRig) -> str | None:
    async with connection(rig.pool) as conn:
        (status,) = await indexer_status(conn, [rig.spec], now=0.0)
    return status.halted


async def test_a_node_that_syncs_from_far_below_is_not_believed(world: Devnet, new_database: Callable[[], str]) -> None:
    dev = world.chains[0]
    async with open_faulty_rig(dev, new_database(), endpoints=2) as faulty:
        rig, (syncing, _) = faulty.rig, faulty.proxies
        swap = await make_swap(dev, next(_numbers))
        await swap.fill()
        await dev.anvil.mine(20)
        await rig.read()
        before, head = await said(rig), await rig.head()
        for height_of_it in (head.number - 1, head.number - 10, rig.spec.start_block, 1):
            syncing.behind.height = height_of_it
            await rig.read()
            now = await rig.head()
            assert (now.number, now.hash, now.final_number) == (head.number, head.hash, head.final_number)
            assert await said(rig) == before
        syncing.heal()
        await dev.anvil.mine()
        await rig.read()
        assert (await rig.head()).number == head.number + 1


async def test_nodes_of_one_pool_at_two_heights_never_take_the_index_back(
    world: Devnet, new_database: Callable[[], str]
) -> None:
    dev = world.chains[0]
    async with open_faulty_rig(dev, new_database()) as faulty:
        rig, (pool,) = faulty.rig, faulty.proxies
        await rig.read()
        seen = []
        for step in range(8):
            swap = await make_swap(dev, next(_numbers))
            await swap.fill()
            top = await height(dev.anvil)
            pool.behind.height = top - 3 if step % 2 else None
            await rig.read()
            seen.append((await rig.head()).number)
        assert seen == sorted(seen)
        assert not any(row[-1] is False for row in await rig.journal())


async def test_an_index_behind_misleading_sockets_says_what_the_chain_says(
    world: Devnet, new_database: Callable[[], str]
) -> None:
    dev = world.chains[0]
    first = await height(dev.anvil) + 1
    async with open_faulty_rig(dev, new_database(), start_block=first, endpoints=2) as faulty:
        one, other = faulty.proxies
        async with running(faulty.rig.deps("sockets")):
            for first_tells, other_tells in (
                (twice, Swapped()),
                (silent, twice),
                (Swapped(), silent),
                (silent, silent),
            ):
                one.sockets.on_push, other.sockets.on_push = first_tells, other_tells
                swap = await make_swap(dev, next(_numbers))
                await swap.pay(await swap.lock())
                await dev.anvil.reorg(1)
                await dev.anvil.mine()
                await one.sockets.cut()
                await is_read(faulty.rig)
        async with open_index_rig(dev, new_database(), start_block=first) as plain:
            await plain.read()
            told = await said(faulty.rig)
            told["journal"] = [row for row in told["journal"] if row[-1]]  # without what is kept for audit
            assert told == await said(plain)


@pytest.mark.parametrize("other_pushes", [True, False])
async def test_an_endpoint_that_stands_still_is_left_without_a_restart(
    world: Devnet, new_database: Callable[[], str], other_pushes: bool
) -> None:
    dev = world.chains[0]
    async with open_faulty_rig(dev, new_database(), endpoints=2) as faulty:
        still, other = faulty.proxies
        async with running(faulty.rig.deps("still")):
            await is_read(faulty.rig)
            await asyncio.wait_for(still.sockets.subscribed.wait(), PATIENCE)
            still.sockets.on_push = silent
            still.behind.height = await height(dev.anvil)  # it answers, always the same
            if not other_pushes:
                other.sockets.on_push = silent
            swap = await make_swap(dev, next(_numbers))
            await swap.fill()
            await is_read(faulty.rig)
            await swap.lock()
            await is_read(faulty.rig)
        assert "dst_locked" in {row[6] for row in await faulty.rig.journal()}


async def test_an_endpoint_that_hangs_is_left_within_three_block_times(
    world: Devnet, new_database: Callable[[], str]
) -> None:
    dev = world.chains[0]
    async with open_faulty_rig(dev, new_database(), endpoints=2) as faulty:
        hung, _ = faulty.proxies
        async with running(faulty.rig.deps("hung")):
            for _ in range(HEDGE_SAMPLES):  # until its usual time is known
                await (await make_swap(dev, next(_numbers))).fill()
                await is_read(faulty.rig)
            await asyncio.wait_for(hung.sockets.subscribed.wait(), PATIENCE)
            rule = hung.when("*", Held())
            hung.sockets.on_push = silent
            took = []
            for _ in range(5):
                await (await make_swap(dev, next(_numbers))).fill()
                begun = monotonic()
                await is_read(faulty.rig)
                took.append(monotonic() - begun)
            assert rule.hits
            assert median(took) <= 3 * faulty.rig.spec.block_time


async def test_a_reorg_past_the_window_halts_that_chain_alone_and_deletes_nothing(
    world: Devnet, new_database: Callable[[], str]
) -> None:
    deep, fine = world.chains
    dsn = new_database()
    async with open_faulty_rig(deep, dsn) as one, open_faulty_rig(fine, dsn) as other:
        window = reorg_window(one.rig.spec)
        swap = await make_swap(deep, next(_numbers))
        await swap.fill()
        await one.rig.read()  # the first block that was read is below the reorganisation
        at = await deep.anvil.snapshot()
        below = await height(deep.anvil)
        lost = await make_swap(deep, next(_numbers))
        await lost.fill()
        await deep.anvil.mine(window + 2)
        await one.rig.read()
        before = await one.rig.journal()
        await deep.anvil.revert(at)
        await all_heads_alike(deep.anvil)
        await deep.anvil.mine(window + 10)
        assert await height(deep.anvil) - below > window
        async with running(both(one.rig, other.rig, "halts")):
            await until(lambda: is_halted(one.rig), PATIENCE)
            news = await make_swap(fine, next(_numbers))
            await news.fill()
            await is_read(other.rig)
            assert await stored_number(one.rig) < await height(deep.anvil)
        assert "REORG_TOO_DEEP" in (await halted(one.rig) or "")
        rows = await one.rig.journal()
        assert [row for row in rows if row in before] == before


async def is_halted(rig: IndexRig) -> bool:
    return await halted(rig) is not None
