"""Orders come in: checked from cheap to expensive, stored with their swap and its first message in one transaction."""

from dataclasses import dataclass

from bmn.bindings.order_protocol_calls import build_bit_invalidator_for_order, decode_bit_invalidator
from bmn.bindings.resolver_calls import build_lock_of, decode_lock
from bmn.bindings.token_calls import build_allowance, build_balance_of, decode_amount
from bmn.core.acceptance import evaluate_order
from bmn.core.compact_signature import CompactSignature
from bmn.core.errors import BadInput
from bmn.core.signed_order import SignedOrder, SwapTerms, parse_swap_terms
from bmn.core.swap import State
from bmn.core.units import Address, Hashlock, OrderHash
from bmn.evm.failures import CallReverted
from bmn.evm.signer import Signature, recover
from bmn.evm.types import BlockTag
from bmn.messages import NewOrder, wake_swap
from bmn.observe import swaps as observe
from bmn.pg.pool import connection, transaction
from bmn.resolver.deps import ResolverDeps
from bmn.seams.crash import crashpoint
from bmn.store.journal import load_public_secret
from bmn.store.orders import load_order, save_order
from bmn.store.swaps import create_swap, load_swap

ACTOR = "maker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The order is a swap now, or was one already."""

    order_hash: OrderHash
    hashlock: Hashlock
    state: State
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """The order is turned down; nothing was stored."""

    code: str
    detail: str
    hint: str = ""


async def accept_order(signed: SignedOrder, deps: ResolverDeps) -> Accepted | Rejected:
    """Take an order in, or say why not.

    Raises:
        BadInput: the bytes are not an escrow order.
        ChainError: a chain did not answer: try again.
    """
    outcome = await _accept(signed, deps)
    if isinstance(outcome, Rejected):
        observe.order_refused(outcome.code, outcome.detail)
    elif outcome.is_new:
        observe.order_accepted(str(outcome.hashlock), str(outcome.order_hash))
    return outcome


async def _accept(signed: SignedOrder, deps: ResolverDeps) -> Accepted | Rejected:
    spec = deps.specs.get(signed.src_chain)
    if spec is None:
        return Rejected(code="CHAIN_NOT_CONFIGURED", detail=f"chain {signed.src_chain} is not served here")
    terms = parse_swap_terms(signed, spec.domain)
    if _signer_of(terms.order_hash, signed.signature) != terms.maker:
        raise BadInput("BAD_SIGNATURE", "the signature is not the maker's over this order on this chain")
    known = await _known(terms, deps)
    if known is not None:
        return known
    policy = deps.pairs.get((terms.src_chain, terms.dst_chain))
    if policy is None:
        detail = f"swaps from chain {terms.src_chain} to chain {terms.dst_chain} are not served here"
        return Rejected(code="PAIR_NOT_ENABLED", detail=detail)
    if not deps.accepting:
        return Rejected(code="PAUSED", detail="no new orders are taken just now", hint="try again later")
    bounds = await deps.chains[terms.src_chain].clock_bounds()
    refused = evaluate_order(terms, policy, bounds.latest)
    if refused is not None:
        return Rejected(code=refused.code, detail=refused.detail)
    return await _check_chains(terms, deps) or await _store(signed, terms, deps)


async def _known(terms: SwapTerms, deps: ResolverDeps) -> Accepted | Rejected | None:
    """The same order again is fine; its hashlock in another order is not, ever."""
    async with connection(deps.pool) as conn:
        stored, swap = await load_order(conn, terms.hashlock), await load_swap(conn, terms.hashlock)
        revealed = None if stored is not None else await load_public_secret(conn, terms.hashlock)
    if stored is not None and swap is not None and stored.order_hash == terms.order_hash:
        return Accepted(order_hash=terms.order_hash, hashlock=terms.hashlock, state=swap.state, is_new=False)
    if stored is not None or revealed is not None:
        return Rejected(
            code="HASHLOCK_USED", detail="this hashlock was used before", hint="draw a new secret and sign again"
        )
    return None


async def _check_chains(terms: SwapTerms, deps: ResolverDeps) -> Rejected | None:
    """Maker's tokens, allowance and nonce on the source; no lock under this hashlock on any chain."""
    spec, chain = deps.specs[terms.src_chain], deps.chains[terms.src_chain]
    lop = spec.contracts.limit_order_protocol
    answers = await chain.call_many(
        [
            (terms.src_token, build_balance_of(terms.maker)),
            (terms.src_token, build_allowance(terms.maker, lop)),
            (lop, build_bit_invalidator_for_order(terms.maker, terms.escrow_order.nonce)),
        ],
        BlockTag.HEAD,
    )
    balance, allowance, spent = (None if isinstance(answer, CallReverted) else answer for answer in answers)
    if balance is None or allowance is None or spent is None:
        return Rejected(code="TOKEN_UNREADABLE", detail="the source token does not answer as an ERC-20")
    if decode_amount(balance) < terms.making_amount:
        return Rejected(code="MAKER_BALANCE_TOO_LOW", detail="the maker does not hold what the order gives")
    if decode_amount(allowance) < terms.making_amount:
        hint = f"approve {lop!s} for the amount on {spec.name}"
        return Rejected(code="MAKER_ALLOWANCE_TOO_LOW", detail="the limit order protocol may not pull it", hint=hint)
    if decode_bit_invalidator(spent) >> (terms.escrow_order.nonce & 0xFF) & 1:
        return Rejected(code="NONCE_SPENT", detail="the order was filled or cancelled, or its nonce was used")
    for other in deps.specs.values():
        lock = await deps.chains[other.id].call(other.contracts.resolver, build_lock_of(terms.hashlock), BlockTag.HEAD)
        if decode_lock(lock) is not None:
            return Rejected(code="HASHLOCK_USED", detail=f"a lock under this hashlock exists on {other.name}")
    return None


async def _store(signed: SignedOrder, terms: SwapTerms, deps: ResolverDeps) -> Accepted | Rejected:
    async with transaction(deps.pool) as conn:
        is_new = await save_order(conn, signed, terms)
        if is_new:
            await create_swap(conn, terms.hashlock, terms.src_chain, terms.dst_chain, actor=ACTOR)
            await wake_swap(conn, terms.hashlock, NewOrder, trace="order accepted")
    if not is_new:
        # Somebody stored it between our look and our write.
        return await _known(terms, deps) or Rejected(code="HASHLOCK_USED", detail="this hashlock was used before")
    crashpoint("intake.stored")
    deps.wake.signal()
    return Accepted(order_hash=terms.order_hash, hashlock=terms.hashlock, state=State.ACCEPTED, is_new=True)


def _signer_of(digest: OrderHash, signature: CompactSignature) -> Address:
    return recover(digest, Signature(r=signature.r.word, s=signature.s, y_parity=signature.y_parity))
