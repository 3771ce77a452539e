"""Local chains for tests: `anvil`, one chain for the tests of a module, and `two_chains`. Import them in a conftest."""

from collections.abc import AsyncIterator

import pytest_asyncio

from bmn.core.units import ChainId
from bmn.devnet.anvil import Anvil, open_anvil


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def anvil() -> AsyncIterator[Anvil]:
    """Chain 31337, a block per transaction."""
    async with open_anvil(ChainId(31337)) as chain:
        yield chain


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def two_chains() -> AsyncIterator[tuple[Anvil, Anvil]]:
    """Chains 31337 and 31338, a block per transaction."""
    async with open_anvil(ChainId(31337)) as src, open_anvil(ChainId(31338)) as dst:
        yield src, dst
