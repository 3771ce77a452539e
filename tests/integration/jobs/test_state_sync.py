"""A swap whose row is wrong is found, put back and decided again from the facts."""

from dataclasses import replace
from itertools import pairwise

import pytest
from tests.support.api_values import CONTRACTS, DST, SRC
from tests.support.hand_clock import HandClock
from tests.support.job_rig import open_job_deps, waiting
from tests.support.stored_swaps import (
    a_place,
    complement_of,
    locked_immutables,
    put_head,
    put_swap,
    some_deps,
    src_immutables,
)
from tests.support.swap_values import BORN, FACTORY

from bmn.core.escrow_address import escrow_address
from bmn.core.signed_order import SwapTerms
from bmn.core.swap import Decision, State
from bmn.core.units import Secret
from bmn.core.windows import Side
from bmn.jobs import state_sync
from bmn.messages import QUEUES
from bmn.pg.pool import Pool, connection, transaction
from bmn.pg.queue import claim
from bmn.resolver.advance import advance_swap
from bmn.store.history import check_history
from bmn.store.journal import NewEscrow, save_escrows
from bmn.store.swaps import load_swap, save_decision

_AS_SUPERUSER = "SET LOCAL session_replication_role = replica"  # what no trigger or foreign key sees


async def corrupt(pool: Pool, statement: str) -> None:
    """Do what a stray hand or a broken disk does."""
    async with transaction(pool) as conn:
        await conn.execute(_AS_SUPERUSER)
        await conn.execute(statement)


async def sync(pool: Pool, *, minute: int = 0) -> dict[str, float]:
    async with open_job_deps(pool, clock=HandClock(float(60 * minute))) as deps:
        return dict(await state_sync.run(deps))


async def advance_all(pool: Pool) -> None:
    deps = some_deps(pool)
    for claimed in await claim(pool, QUEUES, 100, 60.0):
        await advance_swap(claimed, deps)


async def state(pool: Pool, terms: SwapTerms) -> State:
    async with connection(pool) as conn:
        swap = await load_swap(conn, terms.hashlock)
        assert swap is not None
        assert await check_history(conn) == []
        assert await conn.fetchval("SELECT terminal FROM swaps") is swap.state.is_terminal
    return swap.state


async def both_live(pool: Pool) -> SwapTerms:
    """A swap whose escrows both stand, decided once."""
    terms = await put_swap(pool)
    src, dst = src_immutables(terms), locked_immutables(terms)
    source = NewEscrow(
        place=a_place(5),
        side=Side.SRC,
        address=escrow_address(factory=FACTORY, implementation=CONTRACTS.src_implementation, immutables=src),
        immutables=src,
        complement=complement_of(terms),
    )
    locked = replace(
        source,
        side=Side.DST,
        address=escrow_address(factory=FACTORY, implementation=CONTRACTS.dst_implementation, immutables=dst),
        immutables=dst,
        complement=None,
    )
    async with transaction(pool) as conn:
        await save_escrows(conn, SRC, [source])
        await save_escrows(conn, DST, [locked])
        for chain in (SRC, DST):
            await put_head(conn, chain, 20, BORN + 20)
    await sync_now(pool, terms)
    assert await state(pool, terms) is State.AWAIT_SECRET
    return terms


async def sync_now(pool: Pool, terms: SwapTerms) -> None:
    async with connection(pool) as conn:
        await conn.execute("UPDATE swaps SET updated_at = updated_at - interval '31 seconds'")
    await sync(pool, minute=minute_of(terms))
    await advance_all(pool)


def minute_of(terms: SwapTerms) -> int:
    """The minute in which the swap is checked even when it is over."""
    for minute in range(state_sync.SLICES):
        low, high = state_sync.slice_of(60.0 * minute)
        if low <= terms.hashlock and (high is None or terms.hashlock < high):
            return minute
    raise AssertionError("in no slice")


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE swaps SET state = 'UNWIND'",
        "UPDATE swaps SET state = 'SETTLED', reason = 'DST_PAID', terminal = true",
        "UPDATE swaps SET terminal = true",
        "UPDATE swaps SET version = 17",
        "UPDATE swaps SET version = 1",
    ],
)
async def test_a_damaged_row_is_healed(store: Pool, damage: str) -> None:
    terms = await both_live(store)
    await corrupt(store, damage)
    await sync(store, minute=minute_of(terms))
    await advance_all(store)
    assert await state(store, terms) is State.AWAIT_SECRET


@pytest.mark.parametrize("last", [State.CLAIMED, State.UNWIND])
async def test_a_row_out_of_an_old_backup_is_healed(store: Pool, last: State) -> None:
    terms = await both_live(store)
    for before, after in pairwise([State.AWAIT_SECRET, State.DST_LIVE, last]):
        async with transaction(store) as conn:
            swap = await load_swap(conn, terms.hashlock)
            assert swap is not None
            assert swap.state is before
            await save_decision(conn, swap, Decision(state=after, actions=(), reason="X"), actor="test")
    for version, state, reason in ((1, "ACCEPTED", "ORDER_ACCEPTED"), (3, "DST_LIVE", "X")):
        await corrupt(store, f"UPDATE swaps SET version = {version}, state = '{state}', reason = '{reason}'")
        await sync(store, minute=minute_of(terms))
        async with connection(store) as conn:
            swap = await load_swap(conn, terms.hashlock)
            assert await check_history(conn) == []
        assert swap is not None
        assert (swap.version, swap.state) == (4, last)


async def test_a_wrong_decision_with_a_proper_history_is_made_again(store: Pool) -> None:
    terms = await both_live(store)
    async with transaction(store) as conn:
        version = await conn.fetchval(
            "UPDATE swaps SET state = 'EXPIRED', reason = 'X', terminal = true, version = version + 1 RETURNING version"
        )
        await conn.execute(
            "INSERT INTO swap_events (hashlock, version, before, after, reason, actor) "
            "VALUES ($1, $2, 'AWAIT_SECRET', 'EXPIRED', 'X', 'a stray hand')",
            terms.hashlock,
            version,
        )
    await sync(store, minute=minute_of(terms))
    await advance_all(store)
    assert await state(store, terms) is State.AWAIT_SECRET


async def test_a_finished_swap_is_checked_once_an_hour(store: Pool) -> None:
    terms = await both_live(store)
    await corrupt(store, "UPDATE swaps SET terminal = true")
    found = [minute for minute in range(state_sync.SLICES) if (await sync(store, minute=minute))["suspects"]]
    assert found == [minute_of(terms)]


@pytest.mark.parametrize(("idle", "is_woken"), [(29, False), (31, True)])
async def test_an_open_swap_that_nobody_looked_at_for_half_a_minute_is_woken(
    store: Pool, idle: int, is_woken: bool
) -> None:
    terms = await put_swap(store)
    async with connection(store) as conn:
        await conn.execute("UPDATE swaps SET updated_at = updated_at - make_interval(secs => $1)", idle)
    await sync(store)
    assert await waiting(store) == ({str(terms.hashlock): "advance_swap@1"} if is_woken else {})


async def test_sound_swaps_are_left_alone(store: Pool) -> None:
    for number in (1, 2):
        await put_swap(store, number, secret=Secret(bytes([number]) * 32))
    assert await sync(store) == {"idle": 0, "suspects": 0, "restored": 0}
    assert await waiting(store) == {}


def test_the_slices_of_an_hour_are_all_hashlocks() -> None:
    slices = [state_sync.slice_of(60.0 * minute) for minute in range(60)]
    assert slices[0][0] == bytes(2)
    assert slices[-1][1] is None
    assert [high for _, high in slices[:-1]] == [low for low, _ in slices[1:]]
    assert state_sync.slice_of(3600.0) == slices[0]
