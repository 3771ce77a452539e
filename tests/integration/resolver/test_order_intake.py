"""Orders against real chains: what is taken once, and what is turned down without a trace."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from tests.support.resolver_rig import LOCKS, ResolverRig, allow
from tests.support.swap_on_chain import MAKER, OPERATOR, must
from tests.support.swap_values import an_address

from bmn.bindings import order_protocol_calls, resolver_calls
from bmn.core.compact_signature import CompactSignature
from bmn.core.eip712 import order_hash
from bmn.core.errors import BadInput
from bmn.core.immutables import Immutables
from bmn.core.signed_order import SignedOrder
from bmn.core.swap import State
from bmn.core.units import (
    BlockHash,
    BlockNumber,
    ChainId,
    Hash32,
    OrderHash,
    Seconds,
    TokenAmount,
    TxHash,
    UnixTime,
    Wei,
)
from bmn.pg.pool import connection
from bmn.resolver.deps import ResolverDeps
from bmn.resolver.intake import Accepted, Rejected, accept_order
from bmn.store.journal import EventKind, NewEvent, Place, save_events


async def refusal_of(rig: ResolverRig, signed: SignedOrder, deps: ResolverDeps | None = None) -> str:
    outcome = await accept_order(signed, deps or rig.deps)
    assert isinstance(outcome, Rejected), outcome
    return outcome.code


async def stored(rig: ResolverRig) -> tuple[int, ...]:
    """Return how many orders, swaps and messages there are."""
    async with connection(rig.pool) as conn:
        return tuple(
            [int(await conn.fetchval(f"SELECT count(*) FROM {table}")) for table in ("orders", "swaps", "messages")]
        )


async def test_an_order_is_taken_once_and_is_the_same_swap_again(rig: ResolverRig) -> None:
    signed = await rig.sign(rig.terms(1))
    first = await accept_order(signed, rig.deps)
    assert first == Accepted(
        order_hash=order_hash(rig.src_spec.domain, signed.order),
        hashlock=rig.secret(1).hashlock,
        state=State.ACCEPTED,
        is_new=True,
    )
    assert await accept_order(signed, rig.deps) == replace(first, is_new=False)
    assert await accept_order(signed, replace(rig.deps, accepting=False)) == replace(first, is_new=False)
    assert await stored(rig) == (1, 1, 1)


async def test_of_the_same_order_many_times_at_once_one_is_new(rig: ResolverRig) -> None:
    signed = await rig.sign(rig.terms(2))
    outcomes = await asyncio.gather(*(accept_order(signed, rig.deps) for _ in range(6)))
    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert sum(isinstance(outcome, Accepted) and outcome.is_new for outcome in outcomes) == 1
    assert await stored(rig) == (1, 1, 1)


async def test_of_many_orders_with_one_hashlock_at_once_one_is_taken(rig: ResolverRig) -> None:
    orders = [await rig.sign(rig.terms(number, secret=rig.secret(3))) for number in range(100, 106)]
    outcomes = await asyncio.gather(*(accept_order(signed, rig.deps) for signed in orders))
    assert sum(isinstance(outcome, Accepted) for outcome in outcomes) == 1
    assert {outcome.code for outcome in outcomes if isinstance(outcome, Rejected)} == {"HASHLOCK_USED"}
    assert await stored(rig) == (1, 1, 1)


async def test_a_copycat_of_a_hashlock_is_refused(rig: ResolverRig) -> None:
    await rig.accept(4)
    assert await refusal_of(rig, await rig.sign(rig.terms(5, secret=rig.secret(4)))) == "HASHLOCK_USED"
    assert await stored(rig) == (1, 1, 1)


async def test_a_hashlock_whose_secret_was_told_is_refused(rig: ResolverRig) -> None:
    event = NewEvent(
        place=Place(
            block_number=BlockNumber(1),
            block_hash=BlockHash(bytes(32)),
            block_time=UnixTime(1),
            tx_hash=TxHash(bytes(32)),
            log_index=0,
        ),
        kind=EventKind.ESCROW_WITHDRAWAL,
        emitter=an_address(1),
        is_foreign=True,
        hashlock=rig.secret(6).hashlock,
        secret=rig.secret(6),
    )
    async with connection(rig.pool) as conn:
        await save_events(conn, rig.dst_spec.id, [event])
    assert await refusal_of(rig, await rig.sign(rig.terms(6))) == "HASHLOCK_USED"


async def test_a_signature_for_another_chain_is_refused(rig: ResolverRig) -> None:
    copied = await rig.sign(rig.terms(7), rig.dst_spec)
    with pytest.raises(BadInput, match="BAD_SIGNATURE"):
        await accept_order(copied, rig.deps)
    moved = replace(await rig.sign(rig.terms(7)), src_chain=rig.dst_spec.id)
    with pytest.raises(BadInput, match="BAD_SIGNATURE"):
        await accept_order(moved, rig.deps)
    assert await stored(rig) == (0, 0, 0)


@pytest.mark.parametrize(("r", "vs"), [(0, 0), (0, 1), (1, 0), (2**256 - 1, 2**255 - 1), (7, 8)])
async def test_a_signature_that_is_nobodys_is_refused(rig: ResolverRig, r: int, vs: int) -> None:
    signed = await rig.sign(rig.terms(8))
    with pytest.raises(BadInput):
        await accept_order(
            replace(signed, signature=CompactSignature(r=Hash32.from_word(r), vs=Hash32.from_word(vs))), rig.deps
        )
    assert await stored(rig) == (0, 0, 0)


async def test_a_spent_nonce_is_refused(rig: ResolverRig) -> None:
    signed = await rig.sign(rig.terms(9))
    cancel = order_protocol_calls.build_cancel_order(
        signed.order.maker_traits, order_hash(rig.src_spec.domain, signed.order)
    )
    await must(rig.src.anvil, MAKER, rig.src.contracts.limit_order_protocol, cancel)
    assert await refusal_of(rig, signed) == "NONCE_SPENT"
    assert await refusal_of(rig, await rig.sign(rig.terms(9, secret=rig.secret(10)))) == "NONCE_SPENT"
    await rig.accept(11)


@asynccontextmanager
async def allowed(rig: ResolverRig, amount: int) -> AsyncIterator[None]:
    await allow(rig.src, TokenAmount(amount))
    yield
    await allow(rig.src, TokenAmount(2**255))


@pytest.mark.parametrize(("less", "code"), [(0, None), (1, "MAKER_ALLOWANCE_TOO_LOW")])
async def test_the_order_protocol_must_be_allowed_to_take_the_amount(
    rig: ResolverRig, less: int, code: str | None
) -> None:
    async with allowed(rig, 1012 - less):
        outcome = await accept_order(await rig.sign(rig.terms(12)), rig.deps)
    assert (outcome.code if isinstance(outcome, Rejected) else None) == code


async def test_a_maker_who_does_not_hold_the_tokens_is_refused(rig: ResolverRig) -> None:
    much = replace(rig.terms(13), making_amount=TokenAmount(10**21 + 1))
    assert await refusal_of(rig, await rig.sign(much)) == "MAKER_BALANCE_TOO_LOW"


async def test_while_paused_nothing_new_is_taken(rig: ResolverRig) -> None:
    paused = replace(rig.deps, accepting=False)
    assert await refusal_of(rig, await rig.sign(rig.terms(14)), paused) == "PAUSED"
    assert await stored(rig) == (0, 0, 0)


async def test_chains_and_pairs_that_are_not_served_are_refused(rig: ResolverRig) -> None:
    signed = await rig.sign(rig.terms(15))
    assert await refusal_of(rig, replace(signed, src_chain=ChainId(1))) == "CHAIN_NOT_CONFIGURED"
    assert await refusal_of(rig, signed, replace(rig.deps, pairs={})) == "PAIR_NOT_ENABLED"
    assert await stored(rig) == (0, 0, 0)


async def test_what_the_policy_refuses_is_refused_with_its_code(rig: ResolverRig) -> None:
    unprofitable = replace(rig.terms(16), taking_amount=TokenAmount(1017))
    assert await refusal_of(rig, await rig.sign(unprofitable)) == "UNPROFITABLE"
    assert await stored(rig) == (0, 0, 0)


@pytest.mark.parametrize("side", ["src", "dst"])
async def test_a_lock_under_the_hashlock_on_any_chain_is_refused(rig: ResolverRig, side: str) -> None:
    chain, number = (rig.src, 17) if side == "src" else (rig.dst, 18)
    immutables = Immutables(
        order_hash=OrderHash(bytes(32)),
        hashlock=rig.secret(number).hashlock,
        maker=MAKER,
        taker=chain.contracts.resolver,
        token=chain.contracts.access_token,
        amount=TokenAmount(1),
        safety_deposit=Wei(0),
        timelocks=LOCKS,
    )
    lock = resolver_calls.build_deploy_dst(
        immutables=immutables, src_cancellation=UnixTime(2**40), margin=Seconds(1000), not_after=UnixTime(2**40)
    )
    await must(chain.anvil, OPERATOR, chain.contracts.resolver, lock)
    assert await refusal_of(rig, await rig.sign(rig.terms(number))) == "HASHLOCK_USED"
    assert await stored(rig) == (0, 0, 0)
