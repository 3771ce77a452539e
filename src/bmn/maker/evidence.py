"""The judgement before a reveal: may the secret leave? Pure; `verify` gathers what it looks at.

Source: protocol notes on secret release: after a reveal the maker's only protection is the destination escrow.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias

from bmn.core.chain import ChainSpec
from bmn.core.escrow_address import clone_code, escrow_address
from bmn.core.immutables import DstComplement, Immutables, dst_immutables
from bmn.core.margins import Margins
from bmn.core.signed_order import SwapTerms
from bmn.core.timelocks import Stage
from bmn.core.units import NATIVE, Address, BlockNumber, Seconds, TokenAmount, UnixTime, Wei

_DAY: Final = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class EscrowEvidence:
    """One escrow, read from the maker's own nodes."""

    address: Address
    """Where the code and the balances below were read."""
    immutables: Immutables
    """From the source event; rebuilt for the destination."""
    block: BlockNumber
    """Of its creation."""
    block_time: UnixTime
    """Of that block's header."""
    code: bytes
    token_balance: TokenAmount
    """Of the escrowed token; for the native coin as `native_balance`."""
    native_balance: Wei
    rescue_delay: Seconds
    """As the implementation answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainNow:
    """One chain at the moment of reading."""

    head: BlockNumber
    latest: UnixTime
    """The latest time any endpoint reports, or the host's less the allowed drift: judges "too late"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that is looked at."""

    src: EscrowEvidence | None
    """The source escrow of this order; None: no event of the configured factory yet."""
    complement: DstComplement | None
    """From the same event."""
    is_reused: bool
    """Another source escrow of this maker has the same hashlock."""
    dst: EscrowEvidence | None
    """The destination escrow whose address follows from signed order and source event; None: not seen."""
    src_now: ChainNow
    dst_now: ChainNow


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyRules:
    """What the maker trusts and how careful he is."""

    src: ChainSpec
    dst: ChainSpec
    margins: Margins
    by_self: bool = False
    """The maker pays himself out, by `Resolver.withdrawDst`, instead of leaving it to the resolver."""

    @property
    def reveal_budget(self) -> Seconds:
        """Time a payout needs before the destination's window ends: the resolver's, then the maker's own fallback."""
        if self.by_self:
            return self.margins.dst.inclusion
        return Seconds(self.margins.pay_budget + 2 * self.margins.dst.inclusion)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """Both escrows are as signed, final and funded: the secret may leave before `reveal_before`."""

    src: EscrowEvidence
    dst: EscrowEvidence
    reveal_before: UnixTime
    """Destination time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotYet:
    """Look again later."""

    reason: str
    """Stable code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsafe:
    """Keep the secret: with these escrows it must never leave."""

    code: str
    detail: str


Verdict: TypeAlias = Verified | NotYet | Unsafe


def judge_evidence(terms: SwapTerms, evidence: Evidence, rules: VerifyRules) -> Verdict:
    """Return whether the secret of `terms` may leave."""
    if evidence.is_reused:
        return Unsafe(code="HASHLOCK_REUSED", detail="another order of this maker was filled with the same hashlock")
    src, complement, dst = evidence.src, evidence.complement, evidence.dst
    if src is None or complement is None:
        return NotYet(reason="SRC_NOT_FOUND")
    wrong = _check_src(terms, src, complement, rules)
    if wrong is not None:
        return wrong
    # Before it is final another resolver could fill again after a reorg and take it with the public secret.
    if evidence.src_now.head - src.block < rules.src.depth:
        return NotYet(reason="SRC_NOT_FINAL")
    if dst is None:
        return NotYet(reason="DST_NOT_FOUND")
    wrong = _check_dst(src, complement, dst, rules) or _check_times(src, dst, evidence, rules)
    if wrong is not None:
        return wrong
    if evidence.dst_now.head - dst.block < rules.dst.depth:
        return NotYet(reason="DST_NOT_FINAL")
    ends = dst.immutables.timelocks.opens_at(Stage.DST_CANCELLATION)
    return Verified(src=src, dst=dst, reveal_before=UnixTime(ends - rules.reveal_budget))


def _check_src(terms: SwapTerms, src: EscrowEvidence, complement: DstComplement, rules: VerifyRules) -> Unsafe | None:
    found = src.immutables
    for name, is_right in (
        ("order hash", found.order_hash == terms.order_hash),
        ("hashlock", found.hashlock == terms.hashlock),
        ("maker", found.maker == terms.maker),
        ("token", found.token == terms.src_token),
        ("amount", found.amount == terms.making_amount),
        ("deposit", found.safety_deposit == terms.src_deposit),
        ("timelocks", found.timelocks.deployed(UnixTime(0)) == terms.timelocks.deployed(UnixTime(0))),
        ("receiver", complement.maker == terms.receiver),
        ("destination amount", complement.amount >= terms.taking_amount),
        ("destination token", complement.token == terms.dst_token),
        ("destination deposit", complement.safety_deposit == terms.dst_deposit),
        ("destination chain", complement.chain_id == terms.dst_chain == rules.dst.id),
    ):
        if not is_right:
            return Unsafe(code="ORDER_MISMATCH", detail=f"the source escrow has another {name} than was signed")
    if found.taker != rules.src.contracts.resolver:
        return Unsafe(code="WRONG_TAKER", detail=f"{found.taker!s} filled the order, not the configured resolver")
    contracts = rules.src.contracts
    return _check_escrow("source", src, contracts.factory, contracts.src_implementation)


def _check_dst(
    src: EscrowEvidence, complement: DstComplement, dst: EscrowEvidence, rules: VerifyRules
) -> Unsafe | None:
    contracts = rules.dst.contracts
    expected = dst_immutables(
        src.immutables, complement, taker=contracts.resolver, deployed_at=dst.immutables.timelocks.deployed_at
    )
    if dst.immutables.taker != contracts.resolver:
        return Unsafe(code="WRONG_TAKER", detail="another contract than the configured resolver pays the destination")
    if dst.immutables != expected:
        return Unsafe(code="ORDER_MISMATCH", detail="the destination escrow does not answer the source escrow")
    return _check_escrow("destination", dst, contracts.factory, contracts.dst_implementation)


def _check_escrow(side: str, escrow: EscrowEvidence, factory: Address, implementation: Address) -> Unsafe | None:
    found = escrow.immutables
    if escrow.address != escrow_address(factory=factory, implementation=implementation, immutables=found):
        return Unsafe(code="ADDRESS_MISMATCH", detail=f"the {side} escrow is not where its parameters put it")
    if escrow.code != clone_code(implementation):
        return Unsafe(code="CODE_MISMATCH", detail=f"the {side} escrow is not a clone of the known implementation")
    if escrow.block_time != found.timelocks.deployed_at:
        return Unsafe(code="BIRTH_MISMATCH", detail=f"the {side} escrow counts its time from another block")
    is_native = found.token == NATIVE
    if not is_native and escrow.token_balance < found.amount:
        return Unsafe(code="TOKENS_MISSING", detail=f"the {side} escrow does not hold its tokens")
    if escrow.native_balance < found.safety_deposit + (found.amount if is_native else 0):
        return Unsafe(code="COINS_MISSING", detail=f"the {side} escrow does not hold its native coins")
    return None


def _check_times(src: EscrowEvidence, dst: EscrowEvidence, evidence: Evidence, rules: VerifyRules) -> Unsafe | None:
    locks, other = dst.immutables.timelocks, src.immutables.timelocks
    dst_ends, src_ends = locks.opens_at(Stage.DST_CANCELLATION), other.opens_at(Stage.SRC_CANCELLATION)
    if src_ends - dst_ends < rules.margins.skew:
        return Unsafe(code="MARGIN_TOO_THIN", detail="the two cancellations lie closer than the clocks of the chains")
    if dst_ends + _DAY > locks.rescue_opens_at(dst.rescue_delay):
        return Unsafe(code="RESCUE_TOO_EARLY", detail="the destination could be swept soon after its window")
    if other.opens_at(Stage.SRC_PUBLIC_CANCELLATION) + _DAY > other.rescue_opens_at(src.rescue_delay):
        return Unsafe(code="RESCUE_TOO_EARLY", detail="the source could be swept before anybody gives it back")
    if evidence.dst_now.latest + rules.reveal_budget >= dst_ends:
        return Unsafe(code="TOO_LATE", detail="too little time is left for the payout; the order will be refunded")
    return None
