"""Gathering, on the maker's own nodes, what `evidence` judges. Nothing here believes the resolver."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bmn.bindings.escrow_calls import RESCUE_DELAY, decode_rescue_delay
from bmn.bindings.escrow_logs import (
    DST_ESCROW_CREATED,
    SRC_ESCROW_CREATED,
    DstEscrowCreated,
    SrcEscrowCreated,
    decode_log,
)
from bmn.bindings.token_calls import build_balance_of, decode_amount
from bmn.core.chain import ChainSpec
from bmn.core.errors import ChainError
from bmn.core.escrow_address import escrow_address
from bmn.core.immutables import Immutables, dst_immutables
from bmn.core.signed_order import SwapTerms, parse_swap_terms
from bmn.core.units import NATIVE, Address, BlockNumber, Hash32, Seconds, TokenAmount, UnixTime, Wei
from bmn.evm.client import ChainClient, ChainReader
from bmn.evm.failures import RANGE_TOO_WIDE
from bmn.evm.types import BlockTag, Head, Log
from bmn.maker.evidence import ChainNow, EscrowEvidence, Evidence, Verdict, VerifyRules, judge_evidence
from bmn.maker.vault import MakerOrder
from bmn.seams import Clock

_SPAN: Final = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyDeps:
    """The maker's own sight of both chains."""

    src: ChainClient
    dst: ChainClient
    rules: VerifyRules
    clock: Clock


async def verify_escrows(order: MakerOrder, deps: VerifyDeps) -> Verdict:
    """Return whether the secret of `order` may leave now.

    Raises:
        ChainError: a chain could not be read; the secret stays.
        BadInput: the order in the vault is not a single-fill escrow order.
    """
    terms = parse_swap_terms(order.signed, deps.rules.src.domain)
    return judge_evidence(terms, await gather_evidence(order, terms, deps), deps.rules)


async def gather_evidence(order: MakerOrder, terms: SwapTerms, deps: VerifyDeps) -> Evidence:
    """Read both chains.

    Raises:
        ChainError: a chain could not be read, or its endpoints do not agree.
    """
    rules = deps.rules
    src_head, dst_head = await _head(deps.src), await _head(deps.dst)
    src_now, dst_now = await _now(deps.src, src_head, deps), await _now(deps.dst, dst_head, deps)
    created = await _src_created(deps.src, rules.src, order.src_block, src_head)
    mine = [(log, event) for log, event in created if event.immutables.hashlock == terms.hashlock]
    ours = [(log, event) for log, event in mine if event.immutables.order_hash == terms.order_hash]
    # A stranger may sign with our hashlock; that is his risk, not ours.
    others = [event for _, event in mine if event.immutables.maker == terms.maker]
    nothing = Evidence(
        src=None, complement=None, is_reused=len(others) > len(ours[:1]), dst=None, src_now=src_now, dst_now=dst_now
    )
    if not ours:
        return nothing
    log, event = ours[0]
    contracts = rules.src.contracts
    address = escrow_address(
        factory=contracts.factory, implementation=contracts.src_implementation, immutables=event.immutables
    )
    src = await _evidence(deps.src, address, event.immutables, log, src_head, contracts.src_implementation)
    return Evidence(
        src=src,
        complement=event.complement,
        is_reused=nothing.is_reused,
        dst=await _find_dst(order, event, dst_head, deps),
        src_now=src_now,
        dst_now=dst_now,
    )


async def _find_dst(order: MakerOrder, source: SrcEscrowCreated, head: Head, deps: VerifyDeps) -> EscrowEvidence | None:
    """Return the first destination escrow whose address follows from the source event; look-alikes are passed over."""
    contracts = deps.rules.dst.contracts
    logs = await _logs(deps.dst, deps.rules.dst, DST_ESCROW_CREATED, order.dst_block, head)
    for log in logs:
        event = decode_log(log)
        if not isinstance(event, DstEscrowCreated) or event.hashlock != source.immutables.hashlock:
            continue
        immutables = dst_immutables(
            source.immutables,
            source.complement,
            taker=contracts.resolver,
            deployed_at=(await _block(deps.dst, log)).timestamp,
        )
        address = escrow_address(
            factory=contracts.factory, implementation=contracts.dst_implementation, immutables=immutables
        )
        if address == event.escrow:
            return await _evidence(deps.dst, address, immutables, log, head, contracts.dst_implementation)
    return None


async def _src_created(
    chain: ChainClient, spec: ChainSpec, first: BlockNumber, head: Head
) -> list[tuple[Log, SrcEscrowCreated]]:
    logs = await _logs(chain, spec, SRC_ESCROW_CREATED, first, head)
    decoded = ((log, decode_log(log)) for log in logs)
    return [(log, event) for log, event in decoded if isinstance(event, SrcEscrowCreated)]


async def _logs(chain: ChainClient, spec: ChainSpec, topic: bytes, first: BlockNumber, head: Head) -> Sequence[Log]:
    """Return the factory's logs of one kind, from `first` less the depth of a reorg up to `head`."""
    found: list[Log] = []
    start, span = max(0, first - spec.depth), _SPAN
    while start <= head.number:
        last = min(start + span - 1, head.number)
        try:
            found += await chain.logs_range(
                BlockNumber(start), BlockNumber(last), addresses=[spec.contracts.factory], topics=[[Hash32(topic)]]
            )
        except ChainError as error:
            if error.code != RANGE_TOO_WIDE or span == 1:
                raise
            span //= 2
            continue
        start = last + 1
    # The filter is the node's work; that it was done is ours to check.
    return [log for log in found if log.address == spec.contracts.factory]


async def _evidence(
    chain: ChainClient, address: Address, immutables: Immutables, log: Log, head: Head, implementation: Address
) -> EscrowEvidence:
    """Read one escrow as of `head`, by a quorum."""
    token = immutables.token

    async def ask(node: ChainReader) -> tuple[bytes, int, int, Seconds, Head | None]:
        coins = await node.balance(address, head.hash)
        tokens = int(coins)
        if token != NATIVE:
            tokens = decode_amount(await node.call(token, build_balance_of(address), head.hash))
        delay = decode_rescue_delay(await node.call(implementation, RESCUE_DELAY, head.hash))
        return await node.code(address, head.hash), tokens, coins, delay, await node.block(log.block_hash)

    code, tokens, coins, delay, born = await chain.agree(ask)
    if born is None or born.number != log.block_number:
        raise ChainError("BLOCK_GONE", "the block of an escrow was reorganised away while it was read")
    return EscrowEvidence(
        address=address,
        immutables=immutables,
        block=born.number,
        block_time=born.timestamp,
        code=code,
        token_balance=TokenAmount(tokens),
        native_balance=Wei(coins),
        rescue_delay=delay,
    )


async def _head(chain: ChainClient) -> Head:
    head = await chain.block(BlockTag.HEAD)
    if head is None:
        raise ChainError("NO_HEAD", "a chain has no newest block")
    return head


async def _block(chain: ChainClient, log: Log) -> Head:
    block = await chain.block(log.block_hash)
    if block is None:
        raise ChainError("BLOCK_GONE", "the block of an escrow was reorganised away while it was read")
    return block


async def _now(chain: ChainClient, head: Head, deps: VerifyDeps) -> ChainNow:
    bounds = await chain.clock_bounds()
    host = int(deps.clock.now()) - deps.rules.margins.skew
    # A node that holds time back must not make us think there is time.
    return ChainNow(head=head.number, latest=UnixTime(max(bounds.latest, head.timestamp, host)))
