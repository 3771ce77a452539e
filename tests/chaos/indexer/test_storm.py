"""Endpoints fail in every way at once while swaps are made and blocks replaced: the index ends as the chain did."""

from collections.abc import Callable, Mapping
from itertools import count
from random import Random

import pytest
from tests.support.fault_dialects import TOO_OFTEN
from tests.support.fault_proxy import FaultProxy
from tests.support.fault_rig import is_read, open_faulty_rig, running, said
from tests.support.fault_rules import (
    GATEWAY_PAGE,
    CutOff,
    Fault,
    LeftOut,
    LostReply,
    Refuses,
    Reset,
    Reversed,
    Status,
    Truncated,
    WrongId,
)
from tests.support.fault_sockets import OnPush, Swapped, faithful, silent, twice
from tests.support.index_rig import open_index_rig
from tests.support.swap_on_chain import height, make_swap

from bmn.devnet.world import DevChain, Devnet

_numbers = count(9000)
_STORMS, _STEPS = 6, 5

_FAULTS: tuple[Callable[[], Fault], ...] = (
    lambda: Status(502, GATEWAY_PAGE),
    Reset,
    LostReply,
    CutOff,
    Truncated,
    WrongId,
    LeftOut,
    Reversed,
    lambda: Refuses(-32000, "header not found"),
    lambda: Refuses(-32000, "unknown block"),
    lambda: TOO_OFTEN["proxyd"],
)
_PUSHES: Mapping[str, Callable[[], OnPush]] = {
    "faithful": lambda: faithful,
    "silent": lambda: silent,
    "twice": lambda: twice,
    "swapped": Swapped,
}


async def disturb(proxy: FaultProxy, random: Random) -> None:
    """Let one endpoint be as bad as it gets, in another way each time."""
    proxy.heal()
    for fault in random.sample(_FAULTS, 2):
        proxy.when("*", fault(), chance=0.2, times=3)
    proxy.sockets.on_push = _PUSHES[random.choice(sorted(_PUSHES))]()
    if random.random() < 0.3:
        await proxy.sockets.cut()
    if random.random() < 0.3:
        proxy.behind.height = max(await height(proxy.anvil) - random.randint(0, 4), 0)


async def go_on(dev: DevChain, random: Random) -> None:
    """Let something happen on the chain."""
    match random.choice(("swap", "swap", "half", "reorg", "mine")):
        case "swap":
            swap = await make_swap(dev, next(_numbers))
            filled = await swap.fill()
            await swap.pay(await swap.lock())
            await swap.claim(filled)
        case "half":
            await (await make_swap(dev, next(_numbers))).fill()
        case "reorg":
            await dev.anvil.reorg(random.randint(1, 3))
        case _:
            await dev.anvil.mine(random.randint(1, 3))


@pytest.mark.parametrize("seed", [11, 12, 13])
async def test_an_index_comes_through_a_storm(world: Devnet, new_database: Callable[[], str], seed: int) -> None:
    dev, random = world.chains[0], Random(seed)
    await dev.anvil.mine(4)  # below what is replaced
    first = await height(dev.anvil) + 1
    await dev.anvil.mine(4)
    async with open_faulty_rig(dev, new_database(), start_block=first, endpoints=2) as faulty:
        for storm in range(_STORMS):
            async with running(faulty.rig.deps(f"storm {storm}")):  # stopped wherever it is, and started again
                for _ in range(_STEPS):
                    await disturb(random.choice(faulty.proxies), random)
                    await go_on(dev, random)
                if storm % 2 == 0:
                    continue
                for proxy in faulty.proxies:
                    proxy.heal()
                await dev.anvil.mine()
                await is_read(faulty.rig)
        for proxy in faulty.proxies:
            proxy.heal()
        await dev.anvil.mine()
        async with running(faulty.rig.deps("calm")):
            await is_read(faulty.rig)
        told = await said(faulty.rig)
        told["journal"] = [row for row in told["journal"] if row[-1]]  # without what is kept for audit
        async with open_index_rig(dev, new_database(), start_block=first) as plain:
            await plain.read()
            assert told == await said(plain)
        assert all(proxy.injected for proxy in faulty.proxies)
