"""The power goes out at each named point, and the swap settles all the same: one destination escrow, no stuck nonce."""

import os
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio
from tests.support.stack import Stack, open_stack, until

from bmn.maker.vault import MakerOrder
from bmn.sdk.client import ResolverUnreachable

pytestmark = pytest.mark.drill

PASSES = {
    "intake.stored": 1,
    "advance.decided": 4,
    "advance.recorded": 4,
    "tx.signed": 4,
    "tx.committed": 4,
    "tx.sent": 4,
    "tx.mined": 4,
    "indexer.block_read": 6,
    "indexer.block_written": 6,
    "secret.stored": 1,
    "lane.reconciled": 6,
}
"""How often one process surely passes each point while it works on one swap."""

REDUCED = (
    ("intake.stored", "tx.signed", "tx.mined"),
    ("advance.decided", "tx.committed:2", "secret.stored"),
    ("advance.recorded:3", "tx.sent", "indexer.block_written:6"),
    ("indexer.block_read:6", "lane.reconciled:2"),
)
"""Every point once, several in the life of one swap; with the pass at which it happens."""

FULL = tuple((f"{point}:{nth}",) for point, passes in PASSES.items() for nth in range(1, passes + 1))
"""Every point at every step, each alone."""

STORIES = FULL if os.environ.get("BMN_DRILL") == "full" else REDUCED


def test_the_reduced_drill_has_every_point() -> None:
    assert {point.partition(":")[0] for story in REDUCED for point in story} == set(PASSES)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory, postgres: str) -> AsyncIterator[Stack]:
    """One world for all points, an order for each."""
    home: Path = tmp_path_factory.mktemp("world")
    async with open_stack(home, postgres, inclusion=10) as world:
        yield world


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("points", STORIES, ids=" then ".join)
async def test_the_swap_settles_after_each_crash(stack: Stack, points: tuple[str, ...]) -> None:
    order: MakerOrder | None = None
    for point in points:
        await stack.start(crash=point)
        order = order or await stack.make_order()
        await until(partial(play_until_dead, stack, order), f"{point} is reached")
        assert await stack.died() == -signal.SIGKILL
    assert order is not None

    await stack.start()
    await until(partial(play_until_settled, stack, order), "the swap is settled")
    assert await stack.lock_of(order.hashlock) is not None
    assert await stack.locks(order.hashlock) == await stack.created(order.hashlock) == 1
    await stack.no_nonce_is_stuck()
    assert stack.service is not None
    assert await stack.service.stop() == 0, stack.service.tail()


async def play_until_dead(stack: Stack, order: MakerOrder) -> bool:
    """Play the maker's part once; return whether the services are gone."""
    assert stack.service is not None
    if stack.service.process.returncode is None:
        await play(stack, order)
    return stack.service.process.returncode is not None


async def play_until_settled(stack: Stack, order: MakerOrder) -> bool:
    """Play the maker's part once; return whether it is over."""
    await play(stack, order)
    return (await stack.status(order)).state == "SETTLED"


async def play(stack: Stack, order: MakerOrder) -> None:
    """Do again whatever the maker may have had no answer to: each call may be repeated."""
    with suppress(ResolverUnreachable):
        await stack.client.submit_order(order.signed)
        await stack.try_reveal(order)
