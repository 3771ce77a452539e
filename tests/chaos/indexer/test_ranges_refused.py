"""Whatever a provider grants and however it says no, the journal becomes the same."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from itertools import count

import pytest
import pytest_asyncio
from tests.support.fault_dialects import TOO_OFTEN, TOO_WIDE
from tests.support.fault_node import Granted
from tests.support.fault_rig import FaultyRig, is_read, open_faulty_rig, running, said
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
from tests.support.index_rig import open_index_rig
from tests.support.postgres import fresh_database
from tests.support.swap_on_chain import height, make_swap, spec_of

from bmn.devnet.world import DevChain, Devnet
from bmn.indexer.write import reorg_window

_numbers = count(4000)
_GRANTED = 7

FAULTS: Mapping[str, Fault] = {
    "bad gateway": Status(502, GATEWAY_PAGE),
    "unavailable": Status(503),
    "reset": Reset(),
    "lost reply": LostReply(),
    "cut off": CutOff(),
    "truncated": Truncated(),
    "wrong id": WrongId(),
    "part of a batch": LeftOut(),
    "batch out of order": Reversed(),
    "internal error": Refuses(-32603, "Internal error"),
    "header not found": Refuses(-32000, "header not found"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OldChain:
    """A chain with three swaps in blocks that are settled."""

    dev: DevChain
    first: int
    """The first of those blocks."""
    said: object
    """What an index of it says that was read from the node itself."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def old_chain(world: Devnet, postgres: str, store_template: str) -> OldChain:
    dev = world.chains[0]
    first = await height(dev.anvil) + 1
    for _ in range(3):
        swap = await make_swap(dev, next(_numbers))
        filled = await swap.fill()
        await swap.pay(await swap.lock())
        await swap.claim(filled)
        await dev.anvil.mine(12)
    await dev.anvil.mine(reorg_window(spec_of(dev, start_block=first)) + 1)
    with fresh_database(postgres, template=store_template) as dsn:
        async with open_index_rig(dev, dsn, start_block=first) as plain:
            await plain.read()
            assert len(await plain.journal()) >= 3 * 6
            return OldChain(dev=dev, first=first, said=await said(plain))


@pytest.fixture
async def faulty(old_chain: OldChain, new_database: Callable[[], str]) -> AsyncIterator[FaultyRig]:
    """An empty journal of it behind one proxy."""
    async with open_faulty_rig(old_chain.dev, new_database(), start_block=old_chain.first) as faulty:
        faulty.rig.follower.width = 40
        yield faulty


@pytest.mark.parametrize(
    "dialect", ["alchemy-free", "infura-range", "quicknode", "ankr", "reth-range", "drpc-free", "tenderly"]
)
async def test_a_range_that_is_too_wide_is_narrowed(faulty: FaultyRig, old_chain: OldChain, dialect: str) -> None:
    (proxy,) = faulty.proxies
    rule = proxy.when("eth_getLogs", Granted(blocks=_GRANTED, refusal=TOO_WIDE[dialect]))
    await faulty.rig.read()
    assert rule.hits > 1
    assert faulty.rig.follower.width <= _GRANTED
    assert await said(faulty.rig) == old_chain.said


@pytest.mark.parametrize("dialect", ["alchemy", "infura", "reth-results"])
async def test_an_answer_that_is_too_large_is_asked_for_in_parts(
    faulty: FaultyRig, old_chain: OldChain, dialect: str
) -> None:
    (proxy,) = faulty.proxies
    proxy.when("eth_getLogs", Granted(results=4, refusal=TOO_WIDE[dialect]))
    await faulty.rig.read()
    assert await said(faulty.rig) == old_chain.said


@pytest.mark.parametrize("dialect", ["http", "http-no-header", "infura", "proxyd"])
async def test_a_rate_limit_slows_down_and_loses_nothing(faulty: FaultyRig, old_chain: OldChain, dialect: str) -> None:
    (proxy,) = faulty.proxies
    rule = proxy.when("*", TOO_OFTEN[dialect], times=3)
    async with running(faulty.rig.deps("limited")):
        await is_read(faulty.rig)
    assert rule.hits == 3
    assert await said(faulty.rig) == old_chain.said


@pytest.mark.parametrize("name", FAULTS)
async def test_an_endpoint_that_fails_now_and_then_costs_time_only(
    faulty: FaultyRig, old_chain: OldChain, name: str
) -> None:
    (proxy,) = faulty.proxies
    proxy.when("*", FAULTS[name], chance=0.25, times=4)
    async with running(faulty.rig.deps("unlucky")):
        await is_read(faulty.rig)
    assert await said(faulty.rig) == old_chain.said
