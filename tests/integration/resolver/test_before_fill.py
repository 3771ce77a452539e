"""An accepted order is judged again until its fill is recorded: the maker has no free option on an old price."""

from dataclasses import replace

from tests.support.resolver_rig import ResolverRig

from bmn.core.acceptance import AcceptancePolicy
from bmn.core.swap import Action, Decision, Policy, State, decide
from bmn.core.units import Bps, Seconds, TokenAmount, UnixTime
from bmn.pg.pool import connection, transaction
from bmn.resolver.deps import ResolverDeps
from bmn.resolver.gather import gather
from bmn.resolver.intake import Accepted
from bmn.store.intents import record_intent


async def decision_of(rig: ResolverRig, swap: Accepted, deps: ResolverDeps) -> Decision:
    async with connection(rig.pool) as conn:
        gathered = await gather(conn, swap.hashlock, deps)
    assert gathered is not None
    ((_, pair),) = deps.pairs.items()
    return decide(gathered.facts, gathered.now, Policy(margins=pair.margins, accepting=deps.accepting))


def changed(rig: ResolverRig) -> list[AcceptancePolicy]:
    """The pair with a higher margin, another price, a lower limit, and locks that are not allowed any more."""
    ((_, pair),) = rig.deps.pairs.items()
    ((token, rule),) = pair.dst_tokens.items()
    return [
        replace(pair, min_margin=Bps(5000)),
        replace(pair, dst_tokens={token: replace(rule, micro_usd=2_000_000)}),
        replace(pair, dst_tokens={token: replace(rule, max_amount=TokenAmount(1))}),
        replace(pair, dst_tokens={}),
        replace(pair, margins=replace(pair.margins, max_lock=Seconds(10))),
    ]


async def test_an_order_is_not_filled_at_a_price_that_is_gone(rig: ResolverRig) -> None:
    swap = await rig.accept(1)
    await rig.read()
    assert (await decision_of(rig, swap, rig.deps)).actions == (Action.FILL,)
    ((key, _),) = rig.deps.pairs.items()
    for pair in changed(rig):
        decision = await decision_of(rig, swap, replace(rig.deps, pairs={key: pair}))
        assert (decision.state, decision.actions) == (State.ORDER_GONE, ())


async def test_a_fill_that_is_recorded_goes_on_until_its_own_end(rig: ResolverRig) -> None:
    swap = await rig.accept(2)
    await rig.read()
    (fill,) = await rig.wanted(swap)
    assert fill.not_after is not None
    async with transaction(rig.pool) as conn:
        assert await record_intent(conn, fill, rig.deps.sealer)
    ((key, _),) = rig.deps.pairs.items()
    decision = await decision_of(rig, swap, replace(rig.deps, pairs={key: changed(rig)[0]}))
    assert (decision.state, decision.actions) == (State.FILLING, (Action.FILL,))


async def test_a_fill_ends_with_the_decision_or_with_the_order(rig: ResolverRig) -> None:
    swap = await rig.accept(3)
    await rig.read()
    gathered = await rig.gather(swap)
    (fill,) = await rig.wanted(swap)
    inclusion = rig.deps.policy(rig.src_spec.id, rig.dst_spec.id).margins.src.inclusion
    assert fill.not_after is not None
    assert gathered.now.src.latest < fill.not_after
    assert fill.not_after <= UnixTime(gathered.now.src.latest + 2 * inclusion + 1)
