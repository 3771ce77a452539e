"""The three stories, played by a maker who has nothing but his key, his own nodes and the resolver's address."""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass

from bmn.core.chain import ChainSpec
from bmn.core.errors import Refused, TimedOut, TransientError
from bmn.core.immutables import decode_immutables
from bmn.core.margins import Margins
from bmn.core.timelocks import Stage
from bmn.core.units import Seconds, TokenAmount, UnixTime, Wei
from bmn.demo.service import RunningBmn
from bmn.devnet.world import Devnet
from bmn.evm.client import ChainClient
from bmn.evm.signer import Signer
from bmn.evm.types import BlockTag, Head
from bmn.maker.create import OrderTerms, create_order, default_timelocks
from bmn.maker.evidence import NotYet, Unsafe, VerifyRules
from bmn.maker.reveal import HandedOver, Paid, reveal_by_payout, reveal_to_resolver
from bmn.maker.send import SendDeps
from bmn.maker.vault import MakerOrder, Vault
from bmn.maker.verify import VerifyDeps, verify_escrows
from bmn.sdk.answers import OrderStatus
from bmn.sdk.client import ResolverClient
from bmn.seams import SystemClock, SystemRng

AMOUNT = TokenAmount(10 * 10**18)
DEPOSIT = Wei(20_000_000_000_000)
"""0.00002 ETH."""

_LOOK_EVERY = 0.1
_STEP_WITHIN = 60.0

Note = Callable[[str, str], None]
"""Takes a state and what happened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """Who plays, and where."""

    devnet: Devnet
    service: RunningBmn
    src: ChainSpec
    dst: ChainSpec
    src_chain: ChainClient
    dst_chain: ChainClient
    margins: Margins
    signer: Signer
    vault: Vault
    resolver: ResolverClient
    impatient: ResolverClient
    """The same resolver, asked by somebody who gives up after two seconds."""

    @property
    def verify(self) -> VerifyDeps:
        """The maker's own sight of both chains."""
        return VerifyDeps(
            src=self.src_chain,
            dst=self.dst_chain,
            rules=VerifyRules(src=self.src, dst=self.dst, margins=self.margins),
            clock=SystemClock(),
        )

    def sender(self, spec: ChainSpec, chain: ChainClient) -> SendDeps:
        """How the maker sends on one chain."""
        return SendDeps(chain=chain, chain_id=spec.id, signer=self.signer, vault=self.vault, clock=SystemClock())


async def draw_order(cast: Cast) -> MakerOrder:
    """Draw a secret, store it, sign: 10 BMN for 10 BMN."""
    src_head, dst_head = await _head(cast.src_chain), await _head(cast.dst_chain)
    terms = OrderTerms(
        src=cast.src,
        dst=cast.dst,
        src_token=cast.src.contracts.access_token,
        dst_token=cast.dst.contracts.access_token,
        making_amount=AMOUNT,
        taking_amount=AMOUNT,
        timelocks=default_timelocks(cast.margins),
        src_deposit=DEPOSIT,
        dst_deposit=DEPOSIT,
        expires_at=UnixTime(src_head.timestamp + 3600),
        resolving_start=src_head.timestamp,
        src_block=src_head.number,
        dst_block=dst_head.number,
    )
    return await create_order(terms, signer=cast.signer, rng=SystemRng(), vault=cast.vault)


async def shared_reveal(cast: Cast, order: MakerOrder, note: Note) -> OrderStatus:
    """The maker checks both escrows on his own nodes and hands the secret to the resolver."""
    await _submit(cast, order, note)
    handed = await _reveal(cast, order)
    note("revealed", f"both escrows checked; secret handed over ({handed.verified.dst.address!s} holds our pay)")
    return await _until(cast, order, note, {"SETTLED"})


async def self_reveal(cast: Cast, order: MakerOrder, note: Note, may_stall: asyncio.Event) -> OrderStatus:
    """The resolver hangs when the secret is due; the maker pays himself out with it."""
    await _submit(cast, order, note)
    await _until(cast, order, note, {"AWAIT_SECRET"})
    while isinstance(verdict := await verify_escrows(order, cast.verify), NotYet):
        await _look_again()
    _check_safe(verdict)
    await may_stall.wait()
    cast.service.stall()
    try:
        note("stalled", "both escrows checked; the resolver hangs (SIGSTOP)")
        if await _status(cast, order) is None:
            note("stalled", "no answer from it within 2 s: the maker keeps his secret and pays himself out")
        paid = await _pay_self(cast, cast.vault.load(order.order_hash))
        note("paid", f"paid in {str(paid.tx_hash)[:18]}… by Resolver.withdrawDst, which is open to anyone")
    finally:
        cast.service.resume()
    note("paid", "the resolver wakes up and finds the secret on the chain")
    return await _until(cast, order, note, {"SETTLED"})


async def walk_away(cast: Cast, order: MakerOrder, note: Note, others_done: asyncio.Event) -> OrderStatus:
    """The maker never reveals; time gives everybody their money back."""
    await _submit(cast, order, note)
    status = await _until(cast, order, note, {"AWAIT_SECRET"})
    note("walking", "the maker walks away; waiting for the other stories before time is moved")
    await others_done.wait()
    await _move_time(cast, _opens_at(status, Stage.DST_CANCELLATION, src=False))
    note("moved", "both chains moved to the destination's cancellation")
    await _until_reason(cast, order, note, {"WAIT_SRC_CANCEL", "SRC_CANCEL"})
    await _move_time(cast, _opens_at(status, Stage.SRC_CANCELLATION, src=True))
    note("moved", "both chains moved to the source's cancellation")
    return await _until(cast, order, note, {"REFUNDED"})


async def _submit(cast: Cast, order: MakerOrder, note: Note) -> None:
    answer = await cast.resolver.submit_order(order.signed)
    note(answer.state, f"order {str(order.order_hash)[:18]}… accepted")


async def _reveal(cast: Cast, order: MakerOrder) -> HandedOver:
    while True:
        verdict = await reveal_to_resolver(order, verify=cast.verify, vault=cast.vault, resolver=cast.resolver)
        if isinstance(verdict, HandedOver):
            return verdict
        _check_safe(verdict)
        await _look_again()


async def _pay_self(cast: Cast, order: MakerOrder) -> Paid:
    deps = cast.sender(cast.dst, cast.dst_chain)
    while True:
        outcome = await reveal_by_payout(order, verify=cast.verify, send=deps)
        if isinstance(outcome, Paid):
            return outcome
        _check_safe(outcome)
        await _look_again()


async def _look_again() -> None:
    await SystemClock().sleep(_LOOK_EVERY)


def _check_safe(verdict: object) -> None:
    if isinstance(verdict, Unsafe):
        raise Refused(verdict.code, verdict.detail, hint="the secret was kept")


async def _until(cast: Cast, order: MakerOrder, note: Note, states: Collection[str]) -> OrderStatus:
    return await _watch(cast, order, note, lambda status: status.state in states, f"state {' or '.join(states)}")


async def _until_reason(cast: Cast, order: MakerOrder, note: Note, reasons: Collection[str]) -> OrderStatus:
    return await _watch(cast, order, note, lambda status: status.reason in reasons, f"{' or '.join(reasons)}")


async def _watch(
    cast: Cast, order: MakerOrder, note: Note, is_there: Callable[[OrderStatus], bool], what: str
) -> OrderStatus:
    last = ""
    try:
        async with asyncio.timeout(_STEP_WITHIN):
            while True:
                status = await _status(cast, order)
                if status is not None and (seen := f"{status.state} ({status.reason})") != last:
                    last = seen
                    note(status.state, seen)
                if status is not None and is_there(status):
                    return status
                if cast.service.has_ended:
                    raise TransientError("SERVICE_ENDED", f"the resolver ended; see {cast.service.log}")
                await _look_again()
    except TimeoutError:
        raise TimedOut("STORY_STUCK", f"waited {_STEP_WITHIN:.0f} s for {what}, it is {last}") from None


async def _status(cast: Cast, order: MakerOrder) -> OrderStatus | None:
    """None while the resolver hangs, as it does in one of the stories."""
    try:
        return await cast.impatient.order(order.order_hash)
    except TransientError:
        return None


def _opens_at(status: OrderStatus, stage: Stage, *, src: bool) -> UnixTime:
    escrow = status.src_escrow if src else status.dst_escrow
    assert escrow is not None, "a swap that awaits its secret has both escrows"
    assert escrow.immutables is not None, "our resolver tells them"
    return decode_immutables(bytes.fromhex(escrow.immutables[2:])).timelocks.opens_at(stage)


async def _move_time(cast: Cast, to: UnixTime) -> None:
    """Put both chains forward by the same time, to `to` on the one that is behind."""
    heads = [await _head(chain) for chain in (cast.src_chain, cast.dst_chain)]
    by = Seconds(max(0, to - min(head.timestamp for head in heads)))
    for chain in cast.devnet.chains:
        await chain.anvil.increase_time(by)


async def _head(chain: ChainClient) -> Head:
    head = await chain.block(BlockTag.HEAD)
    assert head is not None, "a chain has a head"
    return head
