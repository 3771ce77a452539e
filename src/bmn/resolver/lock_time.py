"""How long retrying a lock makes sense."""

from bmn.core.facts import EscrowFacts, Seen
from bmn.core.swap import lock_deadline
from bmn.core.units import Hashlock
from bmn.core.windows import Side
from bmn.messages import DeployDstEscrow, kind_of
from bmn.pg.pool import connection
from bmn.pg.queue import Claimed
from bmn.resolver.deps import ResolverDeps
from bmn.store.journal import StoredHead, load_escrows, load_head
from bmn.store.swaps import load_swap

_DEPLOY = kind_of(DeployDstEscrow)


async def seconds_to_lock(claimed: Claimed, deps: ResolverDeps) -> float | None:
    """Return the seconds until a lock would not leave its margins any more, negative when it is too late.

    By the destination's clock, judged as late as it may be. None: the message asks for no lock, or the journal knows no
    source escrow from which the deadline follows.
    """
    if claimed.kind != _DEPLOY or claimed.key is None or len(claimed.key) != Hashlock.SIZE:
        return None
    async with connection(deps.pool) as conn:
        swap = await load_swap(conn, Hashlock(claimed.key))
        if swap is None or (pair := deps.pairs.get((swap.src_chain, swap.dst_chain))) is None:
            return None
        escrows = await load_escrows(conn, swap.hashlock)
        head = await load_head(conn, swap.dst_chain)
    sources = [one for one in escrows if (one.side, one.chain_id) == (Side.SRC, swap.src_chain)]
    if head is None or not sources:
        return None
    deadlines = [
        lock_deadline(
            EscrowFacts(
                address=one.address,
                immutables=one.immutables,
                created=Seen(block=one.block_number, at=one.block_time, final=False),
                ended=None,
            ),
            pair.margins,
        )
        for one in sources
    ]
    return min(deadlines) - head.time - _age(head, deps)


def _age(head: StoredHead, deps: ResolverDeps) -> float:
    """Return the host seconds since the head was seen; 0 while the journal still catches up."""
    return max(0.0, deps.clock.now() - head.seen_at) if head.seen_at > 0 else 0.0
