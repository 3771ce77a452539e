"""From a decision to intents: which call, on which chain, until when."""

from bmn.bindings.resolver_calls import (
    build_cancel_dst,
    build_cancel_src,
    build_deploy_dst,
    build_deploy_src,
    build_withdraw_dst,
    build_withdraw_src,
)
from bmn.core.errors import InvariantViolation
from bmn.core.facts import EscrowFacts, IntentState
from bmn.core.immutables import Immutables
from bmn.core.swap import Action, Decision, Policy, lock_deadline
from bmn.core.timelocks import Stage
from bmn.core.traits import TakerArgs, encode_taker_args, pack_taker_traits, taker_traits_for
from bmn.core.units import Address, Gas, Secret, UnixTime, Wei
from bmn.resolver.deps import ResolverDeps
from bmn.resolver.gather import Gathered
from bmn.store.intents import NewIntent, urgency_of

_SECRET_GAS = Gas(220_000)
"""Twice what a withdrawal costs at most; never estimated, since an estimate would show the secret to an endpoint."""
_CANCEL_GAS = Gas(220_000)


def new_intents(gathered: Gathered, decision: Decision, policy: Policy, deps: ResolverDeps) -> list[NewIntent]:
    """Return the intents that are wanted and not recorded yet, or dead and worth another try."""
    wanted = []
    for action in decision.actions:
        same = [intent for intent in gathered.intents if intent.action is action]
        newest = max(same, key=lambda intent: intent.ordinal, default=None)
        if newest is None:
            wanted.append(_intent(action, 0, gathered, policy, deps))
        elif newest.state is IntentState.DEAD and action not in {Action.FILL, Action.LOCK}:
            wanted.append(_intent(action, newest.ordinal + 1, gathered, policy, deps))
    return wanted


def _intent(action: Action, ordinal: int, gathered: Gathered, policy: Policy, deps: ResolverDeps) -> NewIntent:
    terms, facts = gathered.terms, gathered.facts
    on_src = action in {Action.FILL, Action.CLAIM, Action.CANCEL_SRC}
    spec = deps.specs[terms.src_chain if on_src else terms.dst_chain]
    not_after: UnixTime | None = None
    deadline: UnixTime | None = None
    gas: Gas | None = None
    match action:
        case Action.FILL:
            not_after = _fill_until(gathered, policy)
            data = _fill(gathered, spec.contracts.resolver, not_after)
        case Action.LOCK:
            src = _required(facts.src)
            not_after = min(
                lock_deadline(src, policy.margins),
                UnixTime(gathered.now.dst.latest + 2 * policy.margins.dst.inclusion),
            )
            data = build_deploy_dst(
                immutables=_dst_immutables(gathered, spec.contracts.resolver),
                src_cancellation=src.opens_at(Stage.SRC_CANCELLATION),
                margin=policy.margins.required,
                not_after=not_after,
            )
        case Action.PAY:
            dst, gas = _required(facts.dst), _SECRET_GAS
            deadline = not_after = UnixTime(dst.opens_at(Stage.DST_CANCELLATION) - 1)
            data = build_withdraw_dst(_secret(gathered), dst.immutables)
        case Action.CLAIM:
            src, gas = _required(facts.src), _SECRET_GAS
            deadline = not_after = UnixTime(src.opens_at(Stage.SRC_CANCELLATION) - 1)
            data = build_withdraw_src(_secret(gathered), src.immutables)
        case Action.CANCEL_DST:
            data, gas = build_cancel_dst(_required(facts.dst).immutables), _CANCEL_GAS
        case Action.CANCEL_SRC:
            src, gas = _required(facts.src), _CANCEL_GAS
            deadline = src.opens_at(Stage.SRC_PUBLIC_CANCELLATION)
            data = build_cancel_src(src.immutables)
    return NewIntent(
        hashlock=terms.hashlock,
        action=action,
        ordinal=ordinal,
        chain_id=spec.id,
        target=spec.contracts.resolver,
        data=data,
        value=Wei(0),
        gas=gas,
        not_after=not_after,
        deadline=deadline,
        urgency=urgency_of(action),
        bears_secret=action.bears_secret,
    )


def _fill_until(gathered: Gathered, policy: Policy) -> UnixTime:
    until = UnixTime(gathered.now.src.latest + 2 * policy.margins.src.inclusion)
    return min(until, gathered.terms.expires_at) if gathered.terms.expires_at else until


def _fill(gathered: Gathered, resolver: Address, not_after: UnixTime) -> bytes:
    terms, signed = gathered.terms, gathered.order.signed
    args = TakerArgs(extension=signed.extension)
    traits = taker_traits_for(args, is_making_amount=True, threshold=terms.taking_amount)
    return build_deploy_src(
        immutables=Immutables(
            order_hash=terms.order_hash,
            hashlock=terms.hashlock,
            maker=terms.maker,
            taker=resolver,
            token=terms.src_token,
            amount=terms.making_amount,
            safety_deposit=terms.src_deposit,
            timelocks=terms.timelocks.deployed(UnixTime(0)),
        ),
        order=signed.order,
        signature=signed.signature,
        amount=terms.making_amount,
        taker_traits=pack_taker_traits(traits),
        args=encode_taker_args(args),
        not_after=not_after,
    )


def _dst_immutables(gathered: Gathered, resolver: Address) -> Immutables:
    terms = gathered.terms
    return Immutables(
        order_hash=terms.order_hash,
        hashlock=terms.hashlock,
        maker=terms.receiver,
        taker=resolver,
        token=terms.dst_token,
        amount=terms.taking_amount,
        safety_deposit=terms.dst_deposit,
        timelocks=terms.timelocks.deployed(UnixTime(0)),
    )


def _required(escrow: EscrowFacts | None) -> EscrowFacts:
    if escrow is None:
        raise InvariantViolation("ESCROW_UNKNOWN", "an action was decided on an escrow that is not there")
    return escrow


def _secret(gathered: Gathered) -> Secret:
    if gathered.secret is None:
        raise InvariantViolation("SECRET_UNKNOWN", "a withdrawal was decided without a secret")
    return gathered.secret
