"""Endpoints that grant little, processes that share a database."""

import asyncio
from collections.abc import Collection
from contextlib import suppress
from itertools import count

import pytest
from tests.support.index_rig import IndexRig, open_index_rig
from tests.support.postgres import fresh_database
from tests.support.swap_on_chain import height, make_swap
from tests.support.worlds import client_of

from bmn.core.chain import ChainSpec
from bmn.core.errors import ChainError, TransientError
from bmn.core.units import Address, BlockHash, BlockNumber
from bmn.evm.client import RpcChain
from bmn.evm.failures import NODE_BEHIND, RANGE_TOO_WIDE
from bmn.evm.types import Log, TopicFilter
from bmn.indexer import run_indexer
from bmn.indexer.write import reorg_window
from bmn.pg.pool import connection
from bmn.seams import SystemClock, SystemSpawner
from bmn.store.journal import load_head

_numbers = count(2000)
_PATIENCE = 20.0
_CUT_THE_OTHERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


class GrudgingChain(RpcChain):
    """Answers for five blocks at most."""

    async def logs_range(
        self, first: BlockNumber, last: BlockNumber, *, addresses: Collection[Address] = (), topics: TopicFilter = ()
    ) -> tuple[Log, ...]:
        if last - first >= 5:
            raise ChainError(RANGE_TOO_WIDE, "five blocks at most")
        return await super().logs_range(first, last, addresses=addresses, topics=topics)


class LoglessChain(RpcChain):
    """Has no logs to give."""

    async def logs(
        self, *, block_hash: BlockHash, addresses: Collection[Address] = (), topics: TopicFilter = ()
    ) -> tuple[Log, ...]:
        raise ChainError(NODE_BEHIND, f"no logs of {block_hash}")


async def is_read(rig: IndexRig, number: int) -> None:
    """Return when the journal is at `number`."""
    async with asyncio.timeout(_PATIENCE):
        while True:
            with suppress(TransientError):
                async with connection(rig.pool) as conn:
                    head = await load_head(conn, rig.spec.id)
                if head is not None and head.number >= number:
                    return
            await asyncio.sleep(0.02)


async def test_a_range_that_is_too_wide_is_halved_until_it_is_granted(
    rig: IndexRig, postgres: str, index_template: str
) -> None:
    swap = await make_swap(rig.dev, next(_numbers))
    await swap.fill()
    await rig.read()
    await rig.dev.anvil.mine(reorg_window(rig.spec) + 30)
    with fresh_database(postgres, template=index_template) as dsn:
        async with (
            open_index_rig(rig.dev, dsn, start_block=rig.spec.start_block) as late,
            client_of(rig.dev) as plain,
            asyncio.TaskGroup() as group,
        ):
            late.follower.chain = GrudgingChain(
                "grudging", plain.nodes, quorum=1, clock=SystemClock(), spawner=SystemSpawner(group)
            )
            late.follower.width = 20
            await late.read()
            assert late.follower.width == 5
            assert await late.journal() == await rig.journal()


async def test_a_journal_that_is_behind_does_not_look_fresh(rig: IndexRig) -> None:
    swap = await make_swap(rig.dev, next(_numbers))
    await swap.fill()
    whole = rig.follower.chain
    async with client_of(rig.dev) as plain, asyncio.TaskGroup() as group:
        rig.follower.chain = LoglessChain(
            "logless", plain.nodes, quorum=1, clock=SystemClock(), spawner=SystemSpawner(group)
        )
        with pytest.raises(ChainError, match=NODE_BEHIND):
            await rig.read()
    behind = await rig.head()
    assert behind.number < await height(rig.dev.anvil)
    assert behind.seen_at == 0.0
    rig.follower.chain = whole
    await rig.read()
    ((now,),) = await rig.rows("SELECT extract(epoch FROM clock_timestamp())::float8")
    assert abs(now - (await rig.head()).seen_at) < _PATIENCE


async def test_of_two_indexers_one_works_and_the_other_takes_over(rig: IndexRig) -> None:
    swap = await make_swap(rig.dev, next(_numbers))
    await rig.accept(swap)
    first, second = (asyncio.create_task(run_indexer(rig.deps(holder))) for holder in ("first", "second"))
    try:
        await swap.fill()
        await is_read(rig, await height(rig.dev.anvil))
        ((holder,),) = await rig.rows("SELECT holder FROM leases WHERE name = $1", f"indexer:{rig.spec.name}")
        working = first if holder == "first" else second
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working
        await swap.lock()
        await is_read(rig, await height(rig.dev.anvil))
        ((heir,),) = await rig.rows("SELECT holder FROM leases WHERE name = $1", f"indexer:{rig.spec.name}")
        assert {holder, heir} == {"first", "second"}
        numbers = [row[0] for row in await rig.rows("SELECT number FROM chain_blocks ORDER BY number")]
        assert numbers == list(range(numbers[0], numbers[-1] + 1))
    finally:
        for task in (first, second):
            task.cancel()
        await asyncio.gather(first, second, return_exceptions=True)


async def test_a_lost_database_connection_costs_nothing(rig: IndexRig) -> None:
    swap = await make_swap(rig.dev, next(_numbers))
    await rig.accept(swap)
    running = asyncio.create_task(run_indexer(rig.deps("cut")))
    try:
        for step in (swap.fill, swap.lock):
            await rig.rows(_CUT_THE_OTHERS)
            await step()
            await is_read(rig, await height(rig.dev.anvil))
        kinds = {row[6] for row in await rig.journal()}
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
    assert {"src_escrow_created", "dst_locked"} <= kinds


@pytest.mark.parametrize("first", [0, 1])
async def test_the_journal_may_begin_at_the_beginning(rig: IndexRig, index_database: str, first: int) -> None:
    spec: ChainSpec = rig.spec
    async with open_index_rig(rig.dev, index_database, start_block=first) as whole:
        assert whole.spec.id == spec.id
        await whole.read()
        assert (await whole.head()).number == await height(rig.dev.anvil)
