"""Sealed values of a swap are forgotten once it is over on final facts, and never before."""

from dataclasses import replace

import pytest
from tests.support.api_values import CONTRACTS, DST, SRC
from tests.support.sealed_values import OLD, put_sealed, secret_number
from tests.support.stored_swaps import a_place, an_order, complement_of, locked_immutables, put_head, src_immutables
from tests.support.swap_values import BORN

from bmn.core.escrow_address import escrow_address
from bmn.core.signed_order import SwapTerms
from bmn.core.swap import Decision, State
from bmn.core.units import ChainId
from bmn.core.windows import Side
from bmn.pg.pool import Pool, connection, transaction
from bmn.store.journal import EventKind, NewEscrow, NewEvent, load_public_secret, save_escrows, save_events
from bmn.store.secrets import load_secret
from bmn.store.swaps import load_swap, save_decision
from bmn.store.txs import load_open, load_swap_txs, load_work
from bmn.store.wiping import RETENTION, wipe_finished

FINAL = 20
DAY = 86_400


async def put_over(pool: Pool, number: int, *, ended_at: int = FINAL, state: State = State.SETTLED) -> SwapTerms:
    """A settled swap: both escrows were withdrawn from in block `ended_at`; it has been over for two days."""
    secret = secret_number(number)
    await put_sealed(pool, number, OLD)
    _, terms = an_order(number, secret=secret)
    src, dst = src_immutables(terms), locked_immutables(terms)
    source = NewEscrow(
        place=a_place(5, log_index=2 * number),
        side=Side.SRC,
        address=escrow_address(factory=CONTRACTS.factory, implementation=CONTRACTS.src_implementation, immutables=src),
        immutables=src,
        complement=complement_of(terms),
    )
    locked = replace(
        source,
        side=Side.DST,
        address=escrow_address(factory=CONTRACTS.factory, implementation=CONTRACTS.dst_implementation, immutables=dst),
        immutables=dst,
        complement=None,
    )
    async with transaction(pool) as conn:
        for chain, escrow in ((SRC, source), (DST, locked)):
            await put_head(conn, chain, FINAL + 2, BORN + 20)
            await save_escrows(conn, chain, [escrow])
            withdrawn = NewEvent(
                place=a_place(ended_at, log_index=2 * number + 1),
                kind=EventKind.ESCROW_WITHDRAWAL,
                emitter=escrow.address,
                is_foreign=False,
                hashlock=terms.hashlock,
                order_hash=terms.order_hash,
                escrow=escrow.address,
                secret=secret,
            )
            await save_events(conn, chain, [withdrawn])
        swap = await load_swap(conn, terms.hashlock)
        assert swap is not None
        await save_decision(conn, swap, Decision(state=state, actions=(), reason="TEST"), actor="test")
        await conn.execute("UPDATE intents SET state = 'done' WHERE hashlock = $1", terms.hashlock)
        await conn.execute(
            "UPDATE swaps SET updated_at = clock_timestamp() - interval '2 days' WHERE hashlock = $1", terms.hashlock
        )
    return terms


async def wipe(pool: Pool, **more: float) -> int:
    async with connection(pool) as conn:
        return await wipe_finished(conn, **more)  # type: ignore[arg-type] # limit is an int here


async def held(pool: Pool, terms: SwapTerms) -> tuple[int, int, int]:
    """How many secrets, sealed calldatas and sealed transactions there are."""
    async with connection(pool) as conn:
        row = await conn.fetchrow(
            """
            SELECT (SELECT count(*) FROM secrets WHERE hashlock = $1),
                   (SELECT count(*) FROM intents WHERE hashlock = $1 AND calldata <> ''),
                   (SELECT count(*) FROM txs t JOIN intents i ON i.id = t.intent_id WHERE hashlock = $1 AND raw <> '')
            """,
            terms.hashlock,
        )
        assert row is not None
        return row[0], row[1], row[2]


async def test_a_swap_that_is_over_loses_everything_sealed_and_nothing_else(store: Pool) -> None:
    terms, other = await put_over(store, 1), await put_over(store, 2, ended_at=FINAL + 1)
    assert await wipe(store) == 1
    assert (await held(store, terms), await held(store, other)) == ((0, 0, 0), (1, 1, 1))
    assert await wipe(store) == 0
    async with connection(store) as conn:
        assert await load_secret(conn, terms.hashlock, OLD) is None
        assert await load_public_secret(conn, terms.hashlock) == secret_number(1)
        assert len(await load_swap_txs(conn, terms.hashlock)) == 1
        assert await load_open(conn, DST, CONTRACTS.resolver, OLD) == []
        assert await load_work(conn, DST, CONTRACTS.resolver) == (False, False)


@pytest.mark.parametrize(("block", "wiped"), [(FINAL, 1), (FINAL + 1, 0)])
async def test_only_what_rests_on_final_blocks_is_wiped(store: Pool, block: int, wiped: int) -> None:
    await put_over(store, 1, ended_at=block)
    assert await wipe(store) == wiped


@pytest.mark.parametrize(("seconds", "wiped"), [(DAY - 60, 0), (DAY + 60, 1)])
async def test_nothing_is_wiped_within_the_retention(store: Pool, seconds: int, wiped: int) -> None:
    assert RETENTION == DAY
    await put_over(store, 1)
    async with connection(store) as conn:
        await conn.execute(
            "UPDATE swaps SET updated_at = clock_timestamp() - make_interval(secs => $1)", float(seconds)
        )
    assert await wipe(store) == wiped
    assert await wipe(store, retention=seconds - 30.0) == 1 - wiped


@pytest.mark.parametrize("state", ["waiting", "pending", "mined", "reverted", "done", "dead"])
async def test_nothing_is_wiped_while_something_of_ours_may_still_land(store: Pool, state: str) -> None:
    terms = await put_over(store, 1)
    async with connection(store) as conn:
        await conn.execute("UPDATE intents SET state = $1", state)
    assert await wipe(store) == (1 if state in {"done", "dead"} else 0)
    assert await held(store, terms) == ((0, 0, 0) if state in {"done", "dead"} else (1, 1, 1))


@pytest.mark.parametrize("chain", [SRC, DST])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE chain_heads SET final_number = 19 WHERE chain_id = $1",
        "UPDATE chain_heads SET halted = 'why' WHERE chain_id = $1",
        "DELETE FROM chain_heads WHERE chain_id = $1",
        "DELETE FROM journal WHERE chain_id = $1",
        "UPDATE journal SET orphaned_at = clock_timestamp() WHERE chain_id = $1",
        "UPDATE journal SET kind = 'funds_rescued' WHERE chain_id = $1",
        "UPDATE journal SET emitter = decode(repeat('11', 20), 'hex') WHERE chain_id = $1",
        "UPDATE journal SET chain_id = 5 WHERE chain_id = $1",
    ],
)
async def test_nothing_is_wiped_while_a_reorganisation_may_undo_its_end(
    store: Pool, chain: ChainId, statement: str
) -> None:
    terms = await put_over(store, 1)
    async with connection(store) as conn:
        await conn.execute(statement, chain)
    assert await wipe(store) == 0
    assert await held(store, terms) == (1, 1, 1)


async def test_what_a_reorganisation_took_back_counts_for_as_long_as_the_retention(store: Pool) -> None:
    await put_over(store, 1)
    async with connection(store) as conn:
        for table in ("journal", "escrows"):
            await conn.execute(f"UPDATE {table} SET orphaned_at = clock_timestamp() - interval '23 hours'")
        assert await wipe(store) == 0
        await conn.execute("UPDATE journal SET orphaned_at = clock_timestamp() - interval '25 hours'")
    assert await wipe(store) == 1


@pytest.mark.parametrize("state", [state for state in State if not state.is_terminal])
async def test_no_open_swap_is_wiped(store: Pool, state: State) -> None:
    terms = await put_over(store, 1, state=state)
    assert await wipe(store) == 0
    assert await held(store, terms) == (1, 1, 1)


async def test_at_most_so_many_are_wiped_at_once(store: Pool) -> None:
    for number in (1, 2, 3):
        await put_over(store, number)
    assert [await wipe(store, limit=2) for _ in range(3)] == [2, 1, 0]


async def test_a_swap_that_is_being_decided_is_left_for_later(store: Pool) -> None:
    terms = await put_over(store, 1)
    async with transaction(store) as conn:
        await conn.execute("SELECT 1 FROM swaps WHERE hashlock = $1 FOR UPDATE", terms.hashlock)
        assert await wipe(store) == 0
    assert await wipe(store) == 1
