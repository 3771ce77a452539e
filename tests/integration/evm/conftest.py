import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.support.chains import anvil, two_chains

from bmn.core.units import ChainId
from bmn.devnet.anvil import Anvil
from bmn.evm.client import RpcChain, open_chain
from bmn.seams import SystemClock, SystemSpawner

__all__ = ["anvil", "chain", "two_chains"]


@pytest.fixture
async def chain(anvil: Anvil) -> AsyncIterator[RpcChain]:
    """The module's local chain through the production client."""
    async with (
        asyncio.TaskGroup() as group,
        open_chain(
            name="local",
            chain_id=ChainId(31337),
            endpoints=[anvil.endpoint],
            quorum=1,
            clock=SystemClock(),
            spawner=SystemSpawner(group),
        ) as client,
    ):
        yield client
