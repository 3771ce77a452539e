"""Gather, decide, record: one look at one swap."""

from bmn.core.swap import decide
from bmn.core.units import Hashlock
from bmn.messages import decode_message
from bmn.observe import swaps as observe
from bmn.pg.pool import connection, transaction
from bmn.pg.queue import Claimed, finish
from bmn.resolver.deps import ResolverDeps
from bmn.resolver.gather import ask_chains, load_recorded
from bmn.resolver.wanted import new_intents
from bmn.seams.crash import crashpoint
from bmn.store.evidence import save_evidence
from bmn.store.intents import record_intent, want_intents
from bmn.store.swaps import save_decision

ACTOR = "resolver"


async def advance_swap(claimed: Claimed, deps: ResolverDeps) -> None:
    """Decide one swap and record state, intents, evidence and the end of the message in one transaction."""
    message = decode_message(claimed.payload)
    hashlock = Hashlock.from_hex(message.hashlock)
    async with connection(deps.pool) as conn:
        recorded = await load_recorded(conn, hashlock, deps)
    if recorded is None:
        async with transaction(deps.pool) as conn:
            await finish(conn, claimed)
        return
    gathered = await ask_chains(recorded, deps)
    swap = gathered.swap
    policy = deps.policy(swap.src_chain, swap.dst_chain)
    decision = decide(gathered.facts, gathered.now, policy)
    intents = new_intents(gathered, decision, policy, deps)
    crashpoint("advance.decided")
    async with transaction(deps.pool) as conn:
        changed = await save_decision(conn, swap, decision, actor=ACTOR)
        for intent in intents:
            await record_intent(conn, intent, deps.sealer)
        await want_intents(conn, hashlock, set(decision.actions))
        if intents and gathered.evidence is not None:
            await save_evidence(conn, hashlock, gathered.evidence)
        await finish(conn, claimed)
    crashpoint("advance.recorded")
    deps.wake.signal()
    if changed:
        observe.swap_advanced(
            str(hashlock),
            swap.state.value,
            decision.state.value,
            decision.reason,
            needs_person=decision.state.needs_person,
        )
