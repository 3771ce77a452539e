"""Our contracts on two local chains, a block per transaction, made once for the tests of a module."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest_asyncio

from bmn.devnet.world import DevChain, Devnet, open_devnet
from bmn.evm.client import RpcChain, open_chain
from bmn.evm.types import Endpoint
from bmn.seams import SystemClock, SystemSpawner


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory) -> AsyncIterator[Devnet]:  # type: ignore[no-untyped-def] # pytest's own fixture
    """A world without a clock: blocks come with transactions."""
    home: Path = tmp_path_factory.mktemp("world")
    async with open_devnet(home, block_time=0) as devnet:
        yield devnet


@asynccontextmanager
async def client_of(
    chain: DevChain, endpoints: Sequence[Endpoint] = (), *, answer_within: float = 5.0
) -> AsyncIterator[RpcChain]:
    """The production client of one chain of a world, by default straight to its node."""
    async with (
        asyncio.TaskGroup() as group,
        open_chain(
            name=chain.name,
            chain_id=chain.anvil.chain_id,
            endpoints=endpoints or [chain.anvil.endpoint],
            quorum=1,
            clock=SystemClock(),
            spawner=SystemSpawner(group),
            answer_within=answer_within,
        ) as client,
    ):
        yield client
