"""The timelock monitor on a real database: by the time of the chains, never by ours."""

from dataclasses import replace

import pytest
from prometheus_client import REGISTRY
from tests.support.api_values import CONTRACTS, DST, SRC
from tests.support.hand_clock import HandClock
from tests.support.job_rig import open_job_deps, waiting
from tests.support.stored_swaps import a_place, locked_immutables, put_swap
from tests.support.swap_values import BORN, FACTORY

from bmn.core.escrow_address import escrow_address
from bmn.core.signed_order import SwapTerms
from bmn.core.timelocks import Stage
from bmn.core.units import BlockHash, BlockNumber, UnixTime
from bmn.core.windows import Side
from bmn.jobs import timelock_monitor
from bmn.jobs.timelock_monitor import NEAR
from bmn.pg.pool import Pool, connection, transaction
from bmn.store.journal import EventKind, NewEscrow, NewEvent, save_escrows, save_events, save_head


async def put_time(pool: Pool, time: int) -> None:
    async with connection(pool) as conn:
        for chain in (SRC, DST):
            await save_head(
                conn,
                chain,
                number=BlockNumber(20),
                block_hash=BlockHash.from_word(20),
                time=UnixTime(time),
                final_number=BlockNumber(18),
                final_time=UnixTime(time - 2),
                is_newest=True,
            )


async def seen_at(pool: Pool) -> float:
    async with connection(pool) as conn:
        found: float = await conn.fetchval("SELECT max(extract(epoch FROM seen_at))::float8 FROM chain_heads")
    return found


async def look(pool: Pool, *, wall: float | None = None) -> dict[str, float]:
    """Run once; `wall` is how far our clock is ahead of when the blocks were seen."""
    clock = HandClock((await seen_at(pool)) + (wall or 0.0))
    async with open_job_deps(pool, clock=clock) as deps:
        return dict(await timelock_monitor.run(deps))


async def locked(pool: Pool) -> tuple[SwapTerms, NewEscrow]:
    """A swap whose destination escrow stands."""
    terms = await put_swap(pool)
    immutables = locked_immutables(terms)
    escrow = NewEscrow(
        place=a_place(5),
        side=Side.DST,
        address=escrow_address(factory=FACTORY, implementation=CONTRACTS.dst_implementation, immutables=immutables),
        immutables=immutables,
        complement=None,
    )
    async with transaction(pool) as conn:
        await save_escrows(conn, DST, [escrow])
    return terms, escrow


@pytest.mark.parametrize(("early", "woken"), [(1, 0), (0, 1), (-500, 1)])
@pytest.mark.parametrize("column", ["wake_src", "wake_dst"])
async def test_a_deadline_wakes_its_swap_once_its_own_chain_has_come_to_it(
    store: Pool, column: str, early: int, woken: int
) -> None:
    terms = await put_swap(store)
    await put_time(store, BORN)
    async with connection(store) as conn:
        await conn.execute(f"UPDATE swaps SET {column} = $1", BORN + early)
    assert (await look(store))["woken"] == woken
    assert await waiting(store) == ({str(terms.hashlock): "advance_swap@1"} if woken else {})


async def test_a_refund_that_is_due_goes_to_the_critical_queue(store: Pool) -> None:
    terms, escrow = await locked(store)
    await put_time(store, escrow.immutables.timelocks.opens_at(Stage.DST_CANCELLATION) - NEAR)
    assert (await look(store))["critical"] == 1
    assert await waiting(store) == {str(terms.hashlock): "withdraw_src_escrow@1"}
    assert remaining("dst_cancellation") == NEAR
    await put_time(store, escrow.immutables.timelocks.opens_at(Stage.DST_CANCELLATION))
    await look(store)
    assert remaining("dst_cancellation") != remaining("dst_cancellation"), "not a number: none waits for it"


def remaining(stage: str) -> float | None:
    return REGISTRY.get_sample_value("bmn_timelock_remaining_seconds", {"chain": "beta", "stage": stage})


async def test_an_escrow_that_was_emptied_has_no_deadline(store: Pool) -> None:
    terms, escrow = await locked(store)
    event = NewEvent(
        place=a_place(8, log_index=3),
        kind=EventKind.ESCROW_CANCELLED,
        emitter=escrow.address,
        is_foreign=False,
        hashlock=terms.hashlock,
    )
    async with transaction(store) as conn:
        await save_events(conn, DST, [event])
    await put_time(store, escrow.immutables.timelocks.opens_at(Stage.DST_CANCELLATION))
    assert await look(store) == {"open_escrows": 0, "due": 0, "woken": 0, "critical": 0}


@pytest.mark.parametrize(("wall", "woken"), [(5.0, 0), (5.1, 1)])
async def test_a_chain_that_fell_silent_wakes_its_swaps_since_its_time_is_not_known(
    store: Pool, wall: float, woken: int
) -> None:
    await locked(store)
    await put_time(store, BORN + 100)  # far from any window
    assert (await look(store, wall=wall))["woken"] == woken


async def test_our_own_clock_judges_no_window(store: Pool) -> None:
    """Ours is a day behind the chain's, or a century: what counts is how old its newest block is."""
    terms, escrow = await locked(store)
    far = replace(escrow.immutables.timelocks).opens_at(Stage.DST_CANCELLATION)
    for offset in (-86_400, 0, 86_400):
        await put_time(store, BORN + 100)
        assert (await look(store))["woken"] == 0, offset
    await put_time(store, far)
    assert (await look(store))["woken"] == 1
    assert list(await waiting(store)) == [str(terms.hashlock)]
