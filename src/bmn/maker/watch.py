"""Following an order: what the resolver says, and what the maker's own nodes show. The chain is the truth."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from bmn.bindings.escrow_logs import ESCROW_CANCELLED
from bmn.core.errors import BmnError, TransientError
from bmn.core.signed_order import parse_swap_terms
from bmn.core.units import Address, BlockNumber, Hash32, OrderHash, TxHash
from bmn.evm.types import BlockTag
from bmn.maker.evidence import EscrowEvidence
from bmn.maker.reveal import find_payout
from bmn.maker.vault import MakerOrder
from bmn.maker.verify import VerifyDeps, gather_evidence
from bmn.sdk.answers import OrderStatus


class StatusSource(Protocol):
    """Where an order's status is asked; `ResolverClient` is one."""

    async def order(self, order_hash: OrderHash) -> OrderStatus:
        """Return where the order stands."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where an order stands."""

    resolver_state: str | None
    """As the resolver says; None while it does not answer."""
    resolver_reason: str
    """Its reason, or the code of why it did not answer."""
    src_escrow: Address | None
    """Seen on the maker's own node, as the next ones."""
    dst_escrow: Address | None
    paid_in: TxHash | None
    """The destination paid the maker: the swap is done for him once this is final."""
    refunded_in: TxHash | None
    """The source gave the tokens back."""

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen for the maker."""
        return self.paid_in is not None or self.refunded_in is not None


async def watch_order(
    order: MakerOrder, *, verify: VerifyDeps, resolver: StatusSource, every: float = 0.5
) -> AsyncIterator[Progress]:
    """Yield each change until the maker is paid or refunded; looks every `every` host seconds.

    A chain or resolver that does not answer is asked again; while the chain is silent nothing is yielded.
    """
    last: Progress | None = None
    while True:
        try:
            progress: Progress | None = await look_at(order, verify=verify, resolver=resolver)
        except TransientError:
            progress = last
        if progress is not None and progress != last:
            yield progress
        if progress is not None and progress.is_over:
            return
        last = progress
        await verify.clock.sleep(every)


async def look_at(order: MakerOrder, *, verify: VerifyDeps, resolver: StatusSource) -> Progress:
    """Return where the order stands now.

    Raises:
        ChainError: a chain could not be read.
    """
    try:
        status = await resolver.order(order.order_hash)
        state, reason = status.state, status.reason
    except BmnError as error:
        state, reason = None, error.code
    terms = parse_swap_terms(order.signed, verify.rules.src.domain)
    evidence = await gather_evidence(order, terms, verify)
    src, dst = evidence.src, evidence.dst
    return Progress(
        resolver_state=state,
        resolver_reason=reason,
        src_escrow=None if src is None else src.address,
        dst_escrow=None if dst is None else dst.address,
        paid_in=None if dst is None else await find_payout(dst, verify.dst),
        refunded_in=None if src is None else await _find_refund(src, verify),
    )


async def _find_refund(escrow: EscrowEvidence, verify: VerifyDeps) -> TxHash | None:
    head = await verify.src.block(BlockTag.HEAD)
    if head is None or head.number < escrow.block:
        return None
    logs = await verify.src.logs_range(
        BlockNumber(escrow.block), head.number, addresses=[escrow.address], topics=[[Hash32(ESCROW_CANCELLED)]]
    )
    return next((log.tx_hash for log in logs if log.address == escrow.address), None)
