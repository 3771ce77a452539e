"""A maker hands over a secret: taken only while it is safe for him, then sealed before the answer."""

from dataclasses import dataclass

from bmn.core.swap import State
from bmn.core.units import OrderHash, Secret
from bmn.messages import WithdrawSrcEscrow, wake_swap
from bmn.observe import swaps as observe
from bmn.pg.pool import connection, transaction
from bmn.resolver.deps import ResolverDeps
from bmn.seams.crash import crashpoint
from bmn.store.journal import load_head
from bmn.store.orders import load_order_by_hash
from bmn.store.secrets import has_secret, save_secret
from bmn.store.swaps import StoredSwap, load_swap

_STALE_SECONDS = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The secret is stored; payout and claim follow from it."""

    state: State
    """Where the swap stood when it was taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotTaken:
    """The secret was dropped."""

    code: str
    detail: str
    hint: str = ""


async def take_secret(order_hash: OrderHash, secret: Secret, deps: ResolverDeps) -> Taken | NotTaken:
    """Store the secret of an order whose escrows are both final and in time; drop it otherwise."""
    async with connection(deps.pool) as conn:
        order = await load_order_by_hash(conn, order_hash)
        if order is None or order.hashlock != secret.hashlock:
            # One answer for both, so that nobody learns which orders there are.
            return NotTaken(code="WRONG_SECRET", detail="no order here has this hash and this secret")
        swap = await load_swap(conn, order.hashlock)
        assert swap is not None, "an order and its swap are stored together"
        if await has_secret(conn, order.hashlock):
            return Taken(state=swap.state)
        head = await load_head(conn, swap.dst_chain)
    refused = _why_not(swap)
    if refused is not None:
        return refused
    age = 0.0 if head is None else deps.clock.now() - head.seen_at
    if head is None or age > _STALE_SECONDS:
        return NotTaken(code="CHAIN_STALE", detail="the destination chain is not being followed now", hint="try again")
    # The chain went on since that head was seen: its clock is judged as late as it may be by now.
    if swap.reveal_until is None or head.time + int(max(age, 0)) >= swap.reveal_until:
        return NotTaken(
            code="TOO_LATE",
            detail="there is not enough time left to pay you",
            hint="keep the secret; you will be refunded",
        )
    async with transaction(deps.pool) as conn:
        # Both intents follow from this row: the decision finds it, however often we crash in between.
        await save_secret(conn, secret, deps.sealer)
        await wake_swap(conn, order.hashlock, WithdrawSrcEscrow, trace="secret handed over")
    crashpoint("secret.stored")
    deps.wake.signal()
    observe.secret_taken(str(order.hashlock))
    return Taken(state=swap.state)


def _why_not(swap: StoredSwap) -> NotTaken | None:
    if swap.reveal_until is not None:
        return None
    if swap.state.is_terminal:
        return NotTaken(code="SWAP_OVER", detail=f"the swap has ended: {swap.state.value}")
    return NotTaken(
        code="NOT_READY",
        detail=f"the escrows are not both final yet; the swap is {swap.state.value}",
        hint="keep the secret and ask again when the state is AWAIT_SECRET",
    )
