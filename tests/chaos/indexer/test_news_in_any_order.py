"""What strangers say, which leg comes first and what is mined meanwhile changes nothing of what the index says."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count

from tests.support.fault_rig import FaultyRig, both, is_read, open_faulty_rig, running, said
from tests.support.fault_rules import Held
from tests.support.index_rig import IndexRig, open_index_rig
from tests.support.swap_on_chain import OPERATOR, SwapOnChain, height, make_swap, must, spec_of

from bmn.bindings import escrow_logs
from bmn.core.units import Address, Secret
from bmn.devnet.world import Devnet
from bmn.indexer.write import reorg_window
from bmn.pg.pool import connection
from bmn.store.journal import load_events, load_public_secret, load_strangers

_numbers = count(5000)

# Emits its calldata as a log: the first word is the topic, the rest the data.
_FORGER = Address(bytes.fromhex("f1" * 20))
_FORGER_CODE = "0x60203603602060003760003560203603" + "6000a100"
_WRONG_SECRET = Secret(bytes(31) + b"\xfe")


async def forge(rig: IndexRig, topic: bytes, data: bytes) -> None:
    """Emit an event as a contract of nobody."""
    await rig.dev.anvil.rpc("anvil_setCode", str(_FORGER), _FORGER_CODE)
    await must(rig.dev.anvil, OPERATOR, _FORGER, topic + data)


async def test_a_strangers_withdrawal_and_cancellation_end_no_escrow(
    world: Devnet, new_database: Callable[[], str]
) -> None:
    async with open_faulty_rig(world.chains[0], new_database()) as faulty:
        rig = faulty.rig
        swap = await make_swap(rig.dev, next(_numbers))
        await rig.accept(swap)
        await swap.fill()
        await swap.lock()
        await rig.read()
        before = await said(rig)
        await forge(rig, escrow_logs.ESCROW_WITHDRAWAL, _WRONG_SECRET.reveal())
        await forge(rig, escrow_logs.ESCROW_CANCELLED, b"")
        await rig.read()
        after = await said(rig)
        assert after.pop("chain_statistics") is not None  # tells the last block
        assert before.pop("chain_statistics") is not None
        assert after == before
        async with connection(rig.pool) as conn:
            assert await load_public_secret(conn, swap.secret.hashlock) is None
            assert await load_strangers(conn, rig.spec.id) == {"escrow_withdrawal": 1, "escrow_cancelled": 1}


async def test_the_right_secret_from_a_stranger_is_public_and_ends_no_escrow(
    world: Devnet, new_database: Callable[[], str]
) -> None:
    async with open_faulty_rig(world.chains[0], new_database()) as faulty:
        rig = faulty.rig
        swap = await make_swap(rig.dev, next(_numbers))
        await rig.accept(swap)
        await swap.fill()
        await swap.lock()
        await forge(rig, escrow_logs.ESCROW_WITHDRAWAL, swap.secret.reveal())
        await rig.read()
        async with connection(rig.pool) as conn:
            assert await load_public_secret(conn, swap.secret.hashlock) == swap.secret
            forged = (await load_events(conn, swap.secret.hashlock))[-1]
        assert (forged.emitter, forged.is_foreign) == (_FORGER, True)
        tables = await said(rig)
        assert tables["escrow_withdrawal"] == []


@asynccontextmanager
async def two_journals(
    world: Devnet, dsn: str, first_blocks: tuple[int, int]
) -> AsyncIterator[tuple[FaultyRig, FaultyRig]]:
    """Journals of both chains in one database, each behind a proxy."""
    src, dst = world.chains
    async with (
        open_faulty_rig(src, dsn, start_block=first_blocks[0]) as one,
        open_faulty_rig(dst, dsn, start_block=first_blocks[1]) as other,
    ):
        yield one, other


async def swap_across(world: Devnet) -> tuple[SwapOnChain, SwapOnChain]:
    """A swap that pays on the first chain and is paid on the second, as each of them sees it."""
    src = await make_swap(world.chains[0], next(_numbers))
    return src, replace(src, chain=world.chains[1])


async def test_both_legs_may_be_read_in_either_order(world: Devnet, new_database: Callable[[], str]) -> None:
    first_blocks = (await height(world.chains[0].anvil) + 1, await height(world.chains[1].anvil) + 1)
    src, dst = await swap_across(world)
    filled = await src.fill()
    locked = await dst.lock()
    await dst.pay(locked)
    await src.claim(filled)
    results = []
    for order in ("src first", "dst first", "together"):
        async with two_journals(world, new_database(), first_blocks) as (one, other):
            match order:
                case "src first":
                    await one.rig.read()
                    await other.rig.read()
                case "dst first":
                    await other.rig.read()
                    await one.rig.read()
                case _:
                    async with running(both(one.rig, other.rig, "together")):
                        await is_read(one.rig)
                        await is_read(other.rig)
            results.append(await said(one.rig))
    assert results[1] == results[0]
    assert results[2] == results[0]
    assert len(results[0]["journal"]) >= 2 * 3


async def test_a_leg_that_is_withheld_only_comes_later(world: Devnet, new_database: Callable[[], str]) -> None:
    first_blocks = (await height(world.chains[0].anvil) + 1, await height(world.chains[1].anvil) + 1)
    src, dst = await swap_across(world)
    async with two_journals(world, new_database(), first_blocks) as (one, other):
        await one.rig.accept(src)
        held = Held()
        one.proxies[0].when("*", held)
        async with running(both(one.rig, other.rig, "withheld")):
            filled = await src.fill()
            locked = await dst.lock()
            await dst.pay(locked)
            await src.claim(filled)
            await is_read(other.rig)
            early = {row[6] for row in await other.rig.journal()}
            assert early == {"dst_escrow_created", "dst_locked", "escrow_withdrawal"}
            held.release()
            await is_read(one.rig)
        async with two_journals(world, new_database(), first_blocks) as (again, paired):
            await again.rig.accept(src)
            await again.rig.read()
            await paired.rig.read()
            assert await said(one.rig) == await said(again.rig)


async def test_what_is_mined_during_a_backfill_is_read_once(world: Devnet, new_database: Callable[[], str]) -> None:
    dev = world.chains[0]
    first = await height(dev.anvil) + 1
    old = await make_swap(dev, next(_numbers))
    await old.fill()
    await dev.anvil.mine(reorg_window(spec_of(dev, start_block=first)) + 30)
    async with open_faulty_rig(dev, new_database(), start_block=first) as faulty:
        (proxy,) = faulty.proxies
        faulty.rig.follower.width = 10
        held = [Held(), Held()]
        proxy.when("eth_getLogs", held[0], nth=1)
        proxy.when("eth_getLogs", held[1], nth=3)
        reading = asyncio.create_task(faulty.rig.read())
        for hold in held:
            await asyncio.wait_for(hold.reached.wait(), 20)
            fresh = await make_swap(dev, next(_numbers))
            filled = await fresh.fill()
            await fresh.pay(await fresh.lock())
            await fresh.claim(filled)
            hold.release()
        await reading
        await faulty.rig.read()
        async with open_index_rig(dev, new_database(), start_block=first) as plain:
            await plain.read()
            assert await said(faulty.rig) == await said(plain)
            assert len(await plain.journal()) > 2 * 6


async def test_a_reorg_during_a_backfill_leaves_what_the_chain_says(
    world: Devnet, new_database: Callable[[], str]
) -> None:
    dev = world.chains[0]
    first = await height(dev.anvil) + 1
    await (await make_swap(dev, next(_numbers))).fill()
    await dev.anvil.mine(reorg_window(spec_of(dev, start_block=first)) + 5)
    lost = await make_swap(dev, next(_numbers))
    await lost.fill()
    async with open_faulty_rig(dev, new_database(), start_block=first) as faulty:
        (proxy,) = faulty.proxies
        held = Held()
        proxy.when("eth_getLogs", held, nth=1)
        async with running(faulty.rig.deps("seam")):
            await asyncio.wait_for(held.reached.wait(), 20)
            await dev.anvil.reorg(2)
            await dev.anvil.mine()
            held.release()
            await is_read(faulty.rig)
        async with open_index_rig(dev, new_database(), start_block=first) as plain:
            await plain.read()
            assert await said(faulty.rig) == await said(plain)
