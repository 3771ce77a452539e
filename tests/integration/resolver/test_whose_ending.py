"""What ends an escrow is an event of that very escrow, on its own chain."""

from dataclasses import replace

import pytest
from tests.support.api_values import CONTRACTS, DST, SRC
from tests.support.stored_swaps import (
    a_place,
    complement_of,
    locked_immutables,
    put_head,
    put_swap,
    some_deps,
    src_immutables,
)
from tests.support.swap_values import A_SECRET, BORN

from bmn.core.escrow_address import escrow_address
from bmn.core.facts import Ending, SecretState
from bmn.core.signed_order import SwapTerms
from bmn.core.units import Address, ChainId
from bmn.core.windows import Side
from bmn.pg.pool import Pool, connection, transaction
from bmn.resolver.gather import Gathered, gather
from bmn.store.journal import EventKind, NewEscrow, NewEvent, save_escrows, save_events


async def both_live(pool: Pool) -> tuple[SwapTerms, Address]:
    """Return the swap and the address of its destination escrow."""
    terms = await put_swap(pool)
    src, dst = src_immutables(terms), locked_immutables(terms)
    factory = CONTRACTS.factory
    source = NewEscrow(
        place=a_place(5),
        side=Side.SRC,
        address=escrow_address(factory=factory, implementation=CONTRACTS.src_implementation, immutables=src),
        immutables=src,
        complement=complement_of(terms),
    )
    locked = replace(
        source,
        side=Side.DST,
        address=escrow_address(factory=factory, implementation=CONTRACTS.dst_implementation, immutables=dst),
        immutables=dst,
        complement=None,
    )
    async with transaction(pool) as conn:
        await save_escrows(conn, SRC, [source])
        await save_escrows(conn, DST, [locked])
        for chain in (SRC, DST):
            await put_head(conn, chain, 20, BORN + 20)
    return terms, locked.address


async def say_withdrawn(pool: Pool, chain: ChainId, escrow: Address, *, is_foreign: bool) -> None:
    event = NewEvent(
        place=a_place(8, log_index=3),
        kind=EventKind.ESCROW_WITHDRAWAL,
        emitter=escrow,
        is_foreign=is_foreign,
        hashlock=A_SECRET.hashlock,
        escrow=escrow,
        secret=A_SECRET,
    )
    async with connection(pool) as conn:
        await save_events(conn, chain, [event])


async def gathered(pool: Pool, terms: SwapTerms) -> Gathered:
    async with connection(pool) as conn:
        found = await gather(conn, terms.hashlock, some_deps(pool))
    assert found is not None
    return found


async def test_a_payout_is_told_by_our_escrow_on_its_chain(store: Pool) -> None:
    terms, escrow = await both_live(store)
    await say_withdrawn(store, DST, escrow, is_foreign=False)
    facts = (await gathered(store, terms)).facts
    assert facts.dst is not None
    assert facts.dst.ended is not None
    assert facts.dst.ended.how is Ending.WITHDRAWN
    assert facts.secret is SecretState.PUBLIC


@pytest.mark.parametrize("is_foreign", [True, False])
async def test_an_escrow_at_the_same_address_on_the_other_chain_pays_nobody_for_us(
    store: Pool, is_foreign: bool
) -> None:
    """Factory and implementation have equal addresses on all chains: anybody can make a copy at the same address."""
    terms, escrow = await both_live(store)
    await say_withdrawn(store, SRC, escrow, is_foreign=is_foreign)
    facts = (await gathered(store, terms)).facts
    assert facts.dst is not None
    assert facts.dst.ended is None
    assert facts.src is not None
    assert facts.src.ended is None
    assert facts.secret is SecretState.PUBLIC
