"""The checks of money rule 2: what must be true on the chains before we lock anything of ours."""

from collections.abc import Sequence
from dataclasses import dataclass

from bmn.bindings.resolver_calls import build_lock_of, decode_lock
from bmn.bindings.token_calls import build_balance_of, decode_amount
from bmn.core.chain import ChainSpec
from bmn.core.escrow_address import clone_code, escrow_address
from bmn.core.facts import EscrowFacts, IntentState, LockRecord, Refusal
from bmn.core.signed_order import SwapTerms
from bmn.core.units import Hashlock, TokenAmount, Wei
from bmn.evm.client import ChainReader
from bmn.evm.types import BlockRef, BlockTag
from bmn.resolver.deps import ResolverDeps
from bmn.store.intents import StoredIntent
from bmn.store.journal import StoredHead


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """The outcome, and what it rests on."""

    refusal: Refusal | None
    lock_record: LockRecord
    evidence: dict[str, str | int] | None


async def load_lock_record(
    terms: SwapTerms, head: StoredHead, locks: Sequence[StoredIntent], deps: ResolverDeps
) -> LockRecord:
    """Return what `lockOf` of our Resolver on the destination says, at the head and at a final block.

    Raises:
        ChainError: no quorum, or no answer.
    """
    spec, chain = deps.specs[terms.dst_chain], deps.chains[terms.dst_chain]
    if await _has_lock(chain, spec, terms.hashlock, BlockTag.HEAD):
        return LockRecord.SET
    may_land = any(lock.state.can_land for lock in locks)
    too_late = all(
        lock.state is IntentState.DEAD or (lock.not_after is not None and head.final_time > lock.not_after)
        for lock in locks
    )
    if (may_land and not too_late) or head.final_number < 0:
        return LockRecord.EMPTY
    at_final = await chain.agree(lambda node: _has_lock(node, spec, terms.hashlock, head.final_number))
    return LockRecord.EMPTY if at_final or not too_late else LockRecord.EMPTY_FINAL


async def check_source(
    src: EscrowFacts, terms: SwapTerms, head: StoredHead, record: LockRecord, deps: ResolverDeps
) -> Checked:
    """Compare the source escrow with the order, and with the chain at the journal's head block, by quorum.

    Raises:
        ChainError: no quorum, or no answer: doubt, so nothing is locked now.
    """
    spec = deps.specs[terms.src_chain]
    mismatch = _compare(src, terms, spec, deps)
    if mismatch is not None:
        return Checked(refusal=mismatch, lock_record=record, evidence=None)
    at = head.hash
    code, tokens, native = await deps.chains[spec.id].agree(lambda node: _holdings(node, src, at))
    evidence: dict[str, str | int] = {
        "src_chain": int(spec.id),
        "escrow": str(src.address),
        "created_block": int(src.created.block),
        "head_number": int(head.number),
        "head_hash": str(head.hash),
        "final_number": int(head.final_number),
        "token_balance": str(tokens),
        "native_balance": str(native),
        "lock_record": record.value,
    }
    used = [
        other.name
        for other in deps.specs.values()
        if await _has_lock(deps.chains[other.id], other, terms.hashlock, BlockTag.HEAD)
    ]
    refusal = (
        (Refusal.ESCROW_CODE_MISMATCH if code != clone_code(spec.contracts.src_implementation) else None)
        or (Refusal.TOKEN_BALANCE_MISSING if tokens < src.immutables.amount else None)
        or (Refusal.DEPOSIT_MISSING if native < src.immutables.safety_deposit else None)
        or (Refusal.HASHLOCK_USED if used else None)
    )
    return Checked(refusal=refusal, lock_record=record, evidence=evidence)


def _compare(src: EscrowFacts, terms: SwapTerms, spec: ChainSpec, deps: ResolverDeps) -> Refusal | None:
    """What the event says against what was signed and what we trade."""
    found, policy = src.immutables, deps.pairs.get((terms.src_chain, terms.dst_chain))
    if found.taker != spec.contracts.resolver:
        return Refusal.WRONG_TAKER
    signed = (terms.order_hash, terms.hashlock, terms.maker, terms.src_token, terms.making_amount, terms.src_deposit)
    if signed != (
        found.order_hash,
        found.hashlock,
        found.maker,
        found.token,
        found.amount,
        found.safety_deposit,
    ) or found.timelocks != terms.timelocks.deployed(src.created.at):
        return Refusal.ORDER_MISMATCH
    address = escrow_address(
        factory=spec.contracts.factory, implementation=spec.contracts.src_implementation, immutables=found
    )
    if address != src.address:
        return Refusal.ESCROW_ADDRESS_MISMATCH
    if policy is None or terms.src_token not in policy.src_tokens or terms.dst_token not in policy.dst_tokens:
        return Refusal.TOKEN_NOT_LISTED
    over = (
        terms.making_amount > policy.src_tokens[terms.src_token].max_amount
        or terms.taking_amount > policy.dst_tokens[terms.dst_token].max_amount
    )
    return Refusal.OVER_LIMIT if over else None


async def _holdings(node: ChainReader, src: EscrowFacts, at: BlockRef) -> tuple[bytes, TokenAmount, Wei]:
    code = await node.code(src.address, at)
    tokens = decode_amount(await node.call(src.immutables.token, build_balance_of(src.address), at))
    return code, tokens, await node.balance(src.address, at)


async def _has_lock(node: ChainReader, spec: ChainSpec, hashlock: Hashlock, at: BlockRef) -> bool:
    return decode_lock(await node.call(spec.contracts.resolver, build_lock_of(hashlock), at)) is not None
