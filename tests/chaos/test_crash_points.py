"""The power goes out at every named point, and the swap settles all the same: one destination escrow, no stuck nonce."""

import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
import pytest_asyncio
from tests.support.stack import Stack, open_stack, until

from bmn.maker.vault import MakerOrder
from bmn.sdk.client import ResolverUnreachable

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.drill]

POINTS = (
    "intake.stored",
    "advance.decided",
    "advance.recorded:3",
    "tx.signed",
    "tx.committed:2",
    "tx.sent:2",
    "tx.mined",
    "indexer.block_read:6",
    "indexer.block_written:6",
    "secret.stored",
    "lane.reconciled:2",
)
"""With the pass at which it happens, so that both chains and several steps get their share."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory, postgres: str) -> AsyncIterator[Stack]:
    """One world for all points, an order for each."""
    home: Path = tmp_path_factory.mktemp("world")
    async with open_stack(home, postgres, inclusion=10) as world:
        yield world


@pytest.mark.parametrize("point", POINTS)
async def test_the_swap_settles_after_a_crash(stack: Stack, point: str) -> None:
    await stack.start(crash=point)
    order = await stack.make_order()
    await until(lambda: play_until_dead(stack, order), f"{point} is reached")
    assert await stack.died() == -signal.SIGKILL

    await stack.start()
    await until(lambda: play_until_settled(stack, order), "the swap is settled")
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
