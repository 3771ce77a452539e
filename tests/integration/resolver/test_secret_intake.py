"""A secret is taken only while paying its maker is sure, and then it is there before the answer."""

import pytest
from tests.support.api_values import DST, SRC
from tests.support.hand_clock import HandClock
from tests.support.stored_swaps import SEALER, put_head, put_swap, some_deps
from tests.support.swap_values import A_SECRET, BORN

from bmn.core.signed_order import SwapTerms
from bmn.core.swap import Decision, State
from bmn.core.units import OrderHash, Secret, UnixTime
from bmn.messages import CRITICAL
from bmn.pg.pool import Pool, connection, transaction
from bmn.pg.queue import Priority
from bmn.resolver.secret_intake import NotTaken, Taken, take_secret
from bmn.store.journal import load_head
from bmn.store.secrets import load_secret
from bmn.store.swaps import load_swap, save_decision

UNTIL = UnixTime(BORN + 100)
WRONG = Secret(b"\x55" * 32)


async def decided(pool: Pool, terms: SwapTerms, state: State, until: UnixTime | None) -> None:
    decision = Decision(state=state, actions=(), reason="TEST", reveal_until=until)
    async with transaction(pool) as conn:
        swap = await load_swap(conn, terms.hashlock)
        assert swap is not None
        await save_decision(conn, swap, decision, actor="test")


async def inviting(pool: Pool, *, head_time: int) -> SwapTerms:
    """A swap that waits for its secret, while the destination is at `head_time`."""
    terms = await put_swap(pool)
    await decided(pool, terms, State.AWAIT_SECRET, UNTIL)
    async with connection(pool) as conn:
        await put_head(conn, SRC, 10, BORN)
        await put_head(conn, DST, 10, head_time)
    return terms


async def submit(pool: Pool, order: OrderHash, secret: Secret = A_SECRET, *, later: float = 0.0) -> Taken | NotTaken:
    """Hand it over `later` seconds after the destination's head was seen."""
    async with connection(pool) as conn:
        head = await load_head(conn, DST)
    clock = HandClock(later if head is None else head.seen_at + later)
    return await take_secret(order, secret, some_deps(pool, clock))


async def kept(pool: Pool, terms: SwapTerms) -> bool:
    async with connection(pool) as conn:
        return await load_secret(conn, terms.hashlock, SEALER) is not None


async def messages(pool: Pool) -> list[tuple[str, int]]:
    async with connection(pool) as conn:
        return [(row["queue"], row["priority"]) for row in await conn.fetch("SELECT queue, priority FROM messages")]


@pytest.mark.parametrize("before", [1, 50])
async def test_a_secret_is_taken_until_the_last_second(store: Pool, before: int) -> None:
    terms = await inviting(store, head_time=UNTIL - before)
    assert await submit(store, terms.order_hash) == Taken(state=State.AWAIT_SECRET)
    assert await kept(store, terms)
    assert await messages(store) == [(CRITICAL, Priority.CRITICAL)]


@pytest.mark.parametrize("after", [0, 1])
async def test_a_secret_is_dropped_from_the_end_second_on(store: Pool, after: int) -> None:
    terms = await inviting(store, head_time=UNTIL + after)
    outcome = await submit(store, terms.order_hash)
    assert isinstance(outcome, NotTaken)
    assert outcome.code == "TOO_LATE"
    assert not await kept(store, terms)
    assert await messages(store) == []


@pytest.mark.parametrize(
    ("later", "code"), [(9.9, None), (10.0, "TOO_LATE"), (15.0, "TOO_LATE"), (15.1, "CHAIN_STALE")]
)
async def test_the_time_since_the_head_was_seen_has_passed_on_the_chain_too(
    store: Pool, later: float, code: str | None
) -> None:
    terms = await inviting(store, head_time=UNTIL - 10)
    outcome = await submit(store, terms.order_hash, later=later)
    assert (outcome.code if isinstance(outcome, NotTaken) else None) == code
    assert await kept(store, terms) is (code is None)


async def test_a_wrong_secret_and_an_unknown_order_get_the_same_answer(store: Pool) -> None:
    terms = await inviting(store, head_time=BORN)
    wrong = await submit(store, terms.order_hash, WRONG)
    unknown = await submit(store, OrderHash(b"\x01" * 32))
    assert wrong == unknown
    assert isinstance(wrong, NotTaken)
    assert wrong.code == "WRONG_SECRET"
    assert not await kept(store, terms)


async def test_the_same_secret_again_gets_the_same_answer_even_when_it_is_too_late(store: Pool) -> None:
    terms = await inviting(store, head_time=BORN)
    first = await submit(store, terms.order_hash)
    async with connection(store) as conn:
        await put_head(conn, DST, 11, UNTIL + 1000)
    assert await submit(store, terms.order_hash) == first == Taken(state=State.AWAIT_SECRET)
    wrong = await submit(store, terms.order_hash, WRONG)
    assert isinstance(wrong, NotTaken)


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (State.ACCEPTED, "NOT_READY"),
        (State.DST_LIVE, "NOT_READY"),
        (State.UNWIND, "NOT_READY"),
        (State.REFUNDED, "SWAP_OVER"),
    ],
)
async def test_a_secret_nobody_asked_for_is_dropped(store: Pool, state: State, code: str) -> None:
    terms = await inviting(store, head_time=BORN)
    await decided(store, terms, state, None)
    outcome = await submit(store, terms.order_hash)
    assert isinstance(outcome, NotTaken)
    assert outcome.code == code
    assert not await kept(store, terms)


async def test_a_chain_that_was_never_read_takes_no_secret(store: Pool) -> None:
    terms = await put_swap(store)
    await decided(store, terms, State.AWAIT_SECRET, UNTIL)
    outcome = await submit(store, terms.order_hash)
    assert isinstance(outcome, NotTaken)
    assert outcome.code == "CHAIN_STALE"


async def test_the_answer_comes_after_the_secret_is_stored(store: Pool) -> None:
    terms = await inviting(store, head_time=BORN)
    async with connection(store) as conn:
        await conn.execute("ALTER TABLE messages ADD CHECK (queue <> 'orders:critical')")
    with pytest.raises(Exception, match="check constraint"):
        await take_secret(terms.order_hash, A_SECRET, some_deps(store))
    assert not await kept(store, terms)
