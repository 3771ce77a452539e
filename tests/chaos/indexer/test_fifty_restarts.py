"""An index is kept: through fifty restarts nothing is lost, read again or built anew."""

from collections.abc import Callable
from itertools import count
from random import Random

from tests.support.fault_rig import is_read, open_faulty_rig, running, said, stored_number
from tests.support.index_rig import IndexRig, open_index_rig
from tests.support.swap_on_chain import height, make_swap

from bmn.devnet.world import Devnet

_numbers = count(7000)
_RESTARTS = 50
_SEED = 20261124


async def indexes_of(rig: IndexRig) -> list[tuple[object, ...]]:
    return await rig.rows("SELECT indexrelid FROM pg_index ORDER BY indexrelid")


async def test_an_index_is_kept_through_fifty_restarts(world: Devnet, new_database: Callable[[], str]) -> None:
    dev, random = world.chains[0], Random(_SEED)
    first = await height(dev.anvil) + 1
    async with open_faulty_rig(dev, new_database(), start_block=first) as faulty:
        (proxy,) = faulty.proxies
        await faulty.rig.read()
        built = await indexes_of(faulty.rig)
        for restart in range(_RESTARTS):
            proxy.calls.clear()
            before = await stored_number(faulty.rig)
            async with running(faulty.rig.deps(f"life {restart}")):
                if random.random() < 0.5:
                    swap = await make_swap(dev, next(_numbers))
                    await swap.pay(await swap.lock())
                await is_read(faulty.rig)
                if random.random() < 0.3:
                    await dev.anvil.mine(random.randint(1, 3))  # nobody waits for these
            assert proxy.calls["eth_getLogs"] <= await height(dev.anvil) - before
        async with running(faulty.rig.deps("last life")):
            await is_read(faulty.rig)
        assert await indexes_of(faulty.rig) == built
        async with open_index_rig(dev, new_database(), start_block=first) as plain:
            await plain.read()
            assert await said(faulty.rig) == await said(plain)
