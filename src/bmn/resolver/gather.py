"""Gather: the facts of one swap from the journal, our intents and, where money rule 1 asks for it, the chains."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bmn.core.acceptance import evaluate_order
from bmn.core.chain import ChainSpec
from bmn.core.errors import ChainError, InvariantViolation
from bmn.core.facts import (
    ChainTime,
    ChainTimes,
    Ended,
    Ending,
    EscrowFacts,
    Facts,
    Intents,
    IntentState,
    LockRecord,
    OrderFacts,
    Refusal,
    SecretState,
    Seen,
)
from bmn.core.signed_order import SwapTerms, parse_swap_terms
from bmn.core.swap import Action
from bmn.core.units import BlockNumber, ChainId, Hashlock, Secret, UnixTime
from bmn.core.windows import Side
from bmn.pg.pool import Connection
from bmn.resolver.deps import ResolverDeps
from bmn.resolver.verify import Checked, check_source, load_lock_record
from bmn.store.intents import StoredIntent, load_intents
from bmn.store.journal import (
    EventKind,
    StoredEscrow,
    StoredEvent,
    StoredHead,
    load_escrows,
    load_events,
    load_head,
    load_order_events,
    load_public_secret,
    load_spent_nonces,
)
from bmn.store.orders import StoredOrder, load_order
from bmn.store.secrets import load_secret
from bmn.store.swaps import StoredSwap, load_swap

_STALE_BLOCKS = 3
_STALE_SECONDS = 5.0
_JUDGED_BY_DECISION = frozenset({"EXPIRED", "NOT_OUR_TURN"})
"""Refusals that time brings or takes away; the decision and the chain see to them."""
_ENDINGS = {
    EventKind.ESCROW_WITHDRAWAL: Ending.WITHDRAWN,
    EventKind.ESCROW_CANCELLED: Ending.CANCELLED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """Everything one decision rests on."""

    swap: StoredSwap
    order: StoredOrder
    terms: SwapTerms
    facts: Facts
    now: ChainTimes
    secret: Secret | None
    intents: Sequence[StoredIntent]
    evidence: dict[str, str | int] | None
    """What the checks before a lock saw; None when no lock was in question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What the database knows of a swap: all that is needed of it for one decision."""

    swap: StoredSwap
    order: StoredOrder
    terms: SwapTerms
    heads: dict[ChainId, StoredHead]
    facts: Facts
    """Without what the chains are asked."""
    secret: Secret | None
    intents: Sequence[StoredIntent]


async def gather(conn: Connection, hashlock: Hashlock, deps: ResolverDeps) -> Gathered | None:
    """Return the facts of `hashlock` now, or None when no order of ours has it.

    Raises:
        ChainError: a chain did not answer a read that the decision needs.
    """
    recorded = await load_recorded(conn, hashlock, deps)
    return None if recorded is None else await ask_chains(recorded, deps)


async def load_recorded(conn: Connection, hashlock: Hashlock, deps: ResolverDeps) -> Recorded | None:
    """Return what the database knows of `hashlock`, or None when no order of ours has it.

    Raises:
        ChainError: `CHAIN_NOT_INDEXED`, a journal has not begun.
    """
    swap, order = await load_swap(conn, hashlock), await load_order(conn, hashlock)
    if swap is None or order is None:
        return None
    src, dst = deps.specs[swap.src_chain], deps.specs[swap.dst_chain]
    terms = parse_swap_terms(order.signed, src.domain)
    heads = {spec.id: await _head(conn, spec) for spec in (src, dst)}
    escrows = await load_escrows(conn, hashlock)
    events = await load_events(conn, hashlock)
    intents = await load_intents(conn, hashlock)
    src_escrow = _escrow(escrows, events, side=Side.SRC, spec=src, head=heads[src.id])
    dst_escrow = _escrow(escrows, events, side=Side.DST, spec=dst, head=heads[dst.id])
    foreign_fill = src_escrow is not None and src_escrow.immutables.taker != src.contracts.resolver
    if foreign_fill:
        src_escrow = None
    order_gone = foreign_fill or await _is_order_gone(conn, terms, src_escrow)
    public, private = await load_public_secret(conn, hashlock), await load_secret(conn, hashlock, deps.sealer)
    facts = Facts(
        order=OrderFacts(expires_at=terms.expires_at, gone=order_gone),
        src=src_escrow,
        dst=dst_escrow,
        lock_record=LockRecord.SET if dst_escrow is not None else LockRecord.EMPTY,
        secret=_secret_state(public, private),
        intents=_intent_states(intents),
        refusal=Refusal.WRONG_TAKER if foreign_fill else None,
    )
    return Recorded(
        swap=swap, order=order, terms=terms, heads=heads, facts=facts, secret=public or private, intents=intents
    )


async def ask_chains(recorded: Recorded, deps: ResolverDeps) -> Gathered:
    """Complete the facts; holds no connection to the database, since a chain may be slow.

    Raises:
        ChainError: a chain did not answer a read that the decision needs.
    """
    facts, terms, heads = recorded.facts, recorded.terms, recorded.heads
    src, dst = deps.specs[terms.src_chain], deps.specs[terms.dst_chain]
    now = ChainTimes(src=await _time(src, heads[src.id], deps), dst=await _time(dst, heads[dst.id], deps))
    if (
        (facts.src, facts.dst) == (None, None)
        and facts.intents.fill is IntentState.NONE
        and _is_unwanted(terms, now, deps)
    ):
        facts = replace(facts, order=replace(facts.order, gone=True))
    checked = await _check_before_lock(facts, terms, heads, recorded.intents, deps)
    if checked is not None:
        facts = replace(facts, refusal=checked.refusal, lock_record=checked.lock_record)
    return Gathered(
        swap=recorded.swap,
        order=recorded.order,
        terms=terms,
        facts=facts,
        now=now,
        secret=recorded.secret,
        intents=recorded.intents,
        evidence=None if checked is None else checked.evidence,
    )


async def _head(conn: Connection, spec: ChainSpec) -> StoredHead:
    head = await load_head(conn, spec.id)
    if head is None:
        raise ChainError("CHAIN_NOT_INDEXED", f"no block of chain {spec.name} has been read yet")
    return head


async def _time(spec: ChainSpec, head: StoredHead, deps: ResolverDeps) -> ChainTime:
    """The journal's clock while it follows the chain, else what the endpoints say."""
    age = deps.clock.now() - head.seen_at
    if age <= max(_STALE_SECONDS, _STALE_BLOCKS * spec.block_time):
        return ChainTime(earliest=head.time, latest=head.time, fresh=True)
    try:
        bounds = await deps.chains[spec.id].clock_bounds()
    except ChainError:
        return ChainTime(earliest=head.time, latest=UnixTime(head.time + int(age)), fresh=False)
    return ChainTime(earliest=bounds.earliest, latest=max(bounds.latest, head.time), fresh=False)


async def _check_before_lock(
    facts: Facts,
    terms: SwapTerms,
    heads: dict[ChainId, StoredHead],
    intents: Sequence[StoredIntent],
    deps: ResolverDeps,
) -> Checked | None:
    """By RPC, with quorum, only while the source escrow stands and nothing of ours is known to be locked."""
    if facts.src is None or facts.dst is not None:
        return None
    locks = [intent for intent in intents if intent.action is Action.LOCK]
    record = await load_lock_record(terms, heads[terms.dst_chain], locks, deps)
    ready = facts.src.created.final and record is not LockRecord.SET and facts.src.ended is None
    if not ready:
        return Checked(refusal=None, lock_record=record, evidence=None)
    return await check_source(facts.src, terms, heads[terms.src_chain], record, deps)


def _escrow(
    escrows: Sequence[StoredEscrow], events: Sequence[StoredEvent], *, side: Side, spec: ChainSpec, head: StoredHead
) -> EscrowFacts | None:
    """Return our escrow of one side. Two of them cannot be: the contracts lock and fill once.

    Raises:
        InvariantViolation: `TWO_ESCROWS`.
    """
    found = [escrow for escrow in escrows if escrow.side == side and escrow.chain_id == spec.id]
    if not found:
        return None
    if len(found) > 1:
        raise InvariantViolation("TWO_ESCROWS", f"{len(found)} {side.value} escrows of one swap on {spec.name}")
    escrow = found[0]
    # By chain too: anybody can make a look-alike at the same address on another chain and empty that.
    endings = [
        event
        for event in events
        if (event.chain_id, event.emitter) == (spec.id, escrow.address) and event.kind in _ENDINGS
    ]
    return EscrowFacts(
        address=escrow.address,
        immutables=escrow.immutables,
        created=_seen(escrow.block_number, escrow.block_time, head),
        ended=None if not endings else _ended(endings[0], head),
    )


def _ended(event: StoredEvent, head: StoredHead) -> Ended:
    return Ended(how=_ENDINGS[event.kind], seen=_seen(event.block_number, event.block_time, head))


def _seen(block: BlockNumber, at: UnixTime, head: StoredHead) -> Seen:
    return Seen(block=block, at=at, final=block <= head.final_number)


def _is_unwanted(terms: SwapTerms, now: ChainTimes, deps: ResolverDeps) -> bool:
    """Prices, limits and margins may have changed while an accepted order waited: then it is not filled any more."""
    pair = deps.pairs.get((terms.src_chain, terms.dst_chain))
    refused = None if pair is None else evaluate_order(terms, pair, now.src.latest)
    return refused is not None and refused.code not in _JUDGED_BY_DECISION


async def _is_order_gone(conn: Connection, terms: SwapTerms, src: EscrowFacts | None) -> bool:
    """Filled, but not by us; or its nonce was cancelled by its maker.

    `OrderCancelled` is not looked at: the order protocol lets anybody say it of any order.
    """
    if src is not None:
        return False
    if EventKind.ORDER_FILLED in {event.kind for event in await load_order_events(conn, terms.order_hash)}:
        return True
    slot, bit = divmod(terms.escrow_order.nonce, 256)
    spent = await load_spent_nonces(conn, terms.src_chain, terms.maker)
    return any(int(event.body["slot"]) == slot and int(event.body["mask"]) >> bit & 1 for event in spent)


def _secret_state(public: Secret | None, private: Secret | None) -> SecretState:
    if public is not None:
        return SecretState.PUBLIC
    return SecretState.UNKNOWN if private is None else SecretState.PRIVATE


def _intent_states(intents: Sequence[StoredIntent]) -> Intents:
    """The newest ordinal of each action counts."""
    newest: dict[Action, IntentState] = {}
    for intent in sorted(intents, key=lambda intent: intent.ordinal):
        newest[intent.action] = intent.state
    return Intents(**{action.value: state for action, state in newest.items()})
