"""A swap for people: what happened to it so far, from the journal and our transactions."""

from collections.abc import Sequence
from dataclasses import dataclass

from bmn.core.immutables import encode_immutables
from bmn.core.swap import Decision, Policy, State, decide
from bmn.core.units import Address, BlockNumber, ChainId, Gas, Hashlock, OrderHash, TxHash, UnixTime, Wei
from bmn.core.windows import Side
from bmn.pg.pool import Connection
from bmn.resolver.deps import ResolverDeps
from bmn.resolver.gather import Gathered, gather
from bmn.store.intents import load_intents
from bmn.store.journal import StoredEscrow, StoredEvent, load_escrows, load_events
from bmn.store.orders import load_order_by_hash
from bmn.store.swaps import StoredSwap, load_swap, load_swaps, load_swaps_in


@dataclass(frozen=True, slots=True, kw_only=True)
class EscrowView:
    """One escrow of ours."""

    address: Address
    deployed_at: UnixTime
    tx_hash: TxHash
    immutables: bytes
    """Eight words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionStep:
    """One transaction of ours."""

    step: str
    chain: ChainId
    hash: TxHash
    block: BlockNumber | None
    gas: Gas | None
    gas_price: Wei | None
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapView:
    """One swap."""

    order_hash: OrderHash
    hashlock: Hashlock
    number: int
    """Where it stands among all, in the order they came in."""
    state: State
    reason: str
    src_chain: ChainId
    dst_chain: ChainId
    src_escrow: EscrowView | None
    dst_escrow: EscrowView | None
    reveal_until: UnixTime | None
    transactions: tuple[TransactionStep, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a swap stands where it stands, by the facts of this moment."""

    gathered: Gathered
    policy: Policy
    decision: Decision
    foreign: tuple[StoredEvent, ...]
    """Events that name this swap and come from contracts that are not ours: never facts."""


async def load_view(conn: Connection, order_hash: OrderHash) -> SwapView | None:
    """Return the swap of an order, or None."""
    order = await load_order_by_hash(conn, order_hash)
    swap = None if order is None else await load_swap(conn, order.hashlock)
    return None if swap is None else await _view(conn, swap)


async def list_views(conn: Connection, state: State | None = None, limit: int = 100) -> list[SwapView]:
    """Return swaps, newest first, of one state or of all."""
    found = load_swaps(conn, limit=limit) if state is None else load_swaps_in(conn, state, limit=limit)
    return await view_swaps(conn, await found)


async def view_swaps(conn: Connection, swaps: Sequence[StoredSwap]) -> list[SwapView]:
    """Return `swaps` for people, in the same order."""
    return [await _view(conn, swap) for swap in swaps]


async def explain_swap(conn: Connection, hashlock: Hashlock, deps: ResolverDeps) -> Explanation | None:
    """Decide the swap again, without recording anything; None when there is no such swap.

    Raises:
        ChainError: a chain did not answer a read that the decision needs.
    """
    gathered = await gather(conn, hashlock, deps)
    if gathered is None:
        return None
    policy = deps.policy(gathered.swap.src_chain, gathered.swap.dst_chain)
    events = await load_events(conn, hashlock)
    return Explanation(
        gathered=gathered,
        policy=policy,
        decision=decide(gathered.facts, gathered.now, policy),
        foreign=tuple(event for event in events if event.is_foreign),
    )


async def _view(conn: Connection, swap: StoredSwap) -> SwapView:
    escrows = await load_escrows(conn, swap.hashlock)
    intents = await load_intents(conn, swap.hashlock)
    return SwapView(
        order_hash=swap.order_hash,
        hashlock=swap.hashlock,
        number=swap.number,
        state=swap.state,
        reason=swap.reason,
        src_chain=swap.src_chain,
        dst_chain=swap.dst_chain,
        src_escrow=_escrow(escrows, Side.SRC),
        dst_escrow=_escrow(escrows, Side.DST),
        reveal_until=swap.reveal_until,
        transactions=tuple(
            TransactionStep(
                step=intent.action.value,
                chain=intent.chain_id,
                hash=intent.tx_hash,
                block=intent.block_number,
                gas=intent.gas_used,
                gas_price=intent.gas_price,
                state=intent.state.value,
            )
            for intent in intents
            if intent.tx_hash is not None
        ),
    )


def _escrow(escrows: list[StoredEscrow], side: Side) -> EscrowView | None:
    for escrow in escrows:
        if escrow.side is side:
            return EscrowView(
                address=escrow.address,
                deployed_at=escrow.block_time,
                tx_hash=escrow.tx_hash,
                immutables=encode_immutables(escrow.immutables),
            )
    return None
