"""Letting the secret go: to the resolver, or by the maker's own payout. Only after `verify`, never too late."""

from dataclasses import dataclass, replace
from typing import Final, Protocol, TypeAlias

from bmn.bindings.escrow_logs import ESCROW_WITHDRAWAL
from bmn.bindings.resolver_calls import build_withdraw_dst
from bmn.core.errors import Refused
from bmn.core.signed_order import parse_swap_terms
from bmn.core.timelocks import Stage
from bmn.core.units import BlockNumber, Gas, Hash32, OrderHash, Secret, TxHash, UnixTime
from bmn.evm.client import ChainClient
from bmn.evm.types import BlockTag
from bmn.maker.evidence import EscrowEvidence, NotYet, Unsafe, Verified, judge_evidence
from bmn.maker.send import SendDeps, Wanted, send_tx
from bmn.maker.vault import MakerOrder, Vault
from bmn.maker.verify import VerifyDeps, gather_evidence, verify_escrows

NOT_READY: Final = "NOT_READY"
"""The resolver's code for a secret that comes before it has seen both escrows final itself."""

_GAS: Final = Gas(400_000)


class SecretTaker(Protocol):
    """Where a secret is handed over; `ResolverClient` is one."""

    async def hand_over_secret(self, order_hash: OrderHash, secret: Secret) -> None:
        """Give the secret away."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedOver:
    """The resolver has the secret and pays; watch until it did, and pay yourself out if it does not."""

    verified: Verified


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """The destination escrow paid the maker."""

    tx_hash: TxHash


SharedReveal: TypeAlias = HandedOver | NotYet | Unsafe
SelfReveal: TypeAlias = Paid | NotYet | Unsafe


async def reveal_to_resolver(
    order: MakerOrder, *, verify: VerifyDeps, vault: Vault, resolver: SecretTaker
) -> SharedReveal:
    """Verify both escrows on the maker's nodes, then hand the secret over. The same again is harmless.

    Raises:
        Refused: the resolver's own code, e.g. TOO_LATE. The secret may be known to it all the same.
        ChainError, TransientError: a chain or the resolver could not be reached.
    """
    verdict = await verify_escrows(order, verify)
    if not isinstance(verdict, Verified):
        return verdict
    vault.set_revealed(order.order_hash)
    try:
        await resolver.hand_over_secret(order.order_hash, vault.load_secret(order.order_hash))
    except Refused as error:
        if error.code != NOT_READY:
            raise
        return NotYet(reason="RESOLVER_NOT_READY")  # our node saw the last block first
    return HandedOver(verified=verdict)


async def reveal_by_payout(order: MakerOrder, *, verify: VerifyDeps, send: SendDeps) -> SelfReveal:
    """Pay the maker out by `Resolver.withdrawDst`: open to anyone from `T_dstWithdrawal`.

    Not sent in the last `inclusion` seconds before `T_dstCancellation`: a payout mined late reverts and shows the
    secret for nothing. `send` is on the destination chain.

    Raises:
        TimedOut, Refused, ChainError: as `send_tx`.
    """
    verify = replace(verify, rules=replace(verify.rules, by_self=True))
    found = await _payable(order, verify)
    if not isinstance(found, EscrowEvidence):
        return found
    paid = await find_payout(found, verify.dst)
    if paid is not None:
        return Paid(tx_hash=paid)
    locks = found.immutables.timelocks
    if (await verify.dst.clock_bounds()).earliest < locks.opens_at(Stage.DST_WITHDRAWAL):
        return NotYet(reason="DST_NOT_OPEN")
    send.vault.set_revealed(order.order_hash)
    secret = send.vault.load_secret(order.order_hash)
    wanted = Wanted(
        order_hash=order.order_hash,
        purpose="reveal",
        to=verify.rules.dst.contracts.resolver,
        data=build_withdraw_dst(secret, found.immutables),
        gas=_GAS,
        not_after=UnixTime(locks.opens_at(Stage.DST_CANCELLATION) - verify.rules.margins.dst.inclusion - 1),
    )
    receipt = await send_tx(wanted, send)
    return Paid(tx_hash=receipt.tx_hash)


async def find_payout(escrow: EscrowEvidence, chain: ChainClient) -> TxHash | None:
    """Return the transaction in which the destination escrow paid, whoever sent it; None: not yet.

    Raises:
        ChainError: the chain could not be read.
    """
    head = await chain.block(BlockTag.HEAD)
    if head is None or head.number < escrow.block:
        return None
    logs = await chain.logs_range(
        BlockNumber(escrow.block), head.number, addresses=[escrow.address], topics=[[Hash32(ESCROW_WITHDRAWAL)]]
    )
    return next((log.tx_hash for log in logs if log.address == escrow.address), None)


async def _payable(order: MakerOrder, verify: VerifyDeps) -> EscrowEvidence | NotYet | Unsafe:
    terms = parse_swap_terms(order.signed, verify.rules.src.domain)
    evidence = await gather_evidence(order, terms, verify)
    if order.is_revealed and evidence.dst is not None:
        # The secret is out: the source may be claimed by now, which only makes the payout more urgent.
        return evidence.dst
    verdict = judge_evidence(terms, evidence, verify.rules)
    return verdict.dst if isinstance(verdict, Verified) else verdict
