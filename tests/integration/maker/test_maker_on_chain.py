"""The maker tools against real contracts on two chains, with a resolver played by hand."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.support.maker_values import a_vault, some_terms
from tests.support.swap_on_chain import MAKER, OPERATOR, chain_now, height, must, spec_of
from tests.support.worlds import client_of

from bmn.bindings import factory_calls, resolver_calls, token_calls
from bmn.core.errors import Refused
from bmn.core.immutables import DstComplement, Immutables, dst_immutables
from bmn.core.margins import ChainTiming, Margins
from bmn.core.signed_order import parse_swap_terms
from bmn.core.timelocks import Stage
from bmn.core.traits import TakerArgs, encode_taker_args, pack_taker_traits, taker_traits_for
from bmn.core.units import Gas, OrderHash, Seconds, Secret, TokenAmount, UnixTime, Wei
from bmn.devnet.world import MAKER_KEY, DevChain, Devnet
from bmn.evm.client import RpcChain
from bmn.evm.devkeys import dev_signer
from bmn.evm.types import BlockTag
from bmn.maker.approve import approve_order
from bmn.maker.cancel import cancel_order, is_order_spent
from bmn.maker.create import create_order
from bmn.maker.evidence import NotYet, Unsafe, Verified, VerifyRules
from bmn.maker.reveal import HandedOver, Paid, reveal_by_payout, reveal_to_resolver
from bmn.maker.send import SendDeps, Wanted, send_tx
from bmn.maker.vault import MakerOrder, Vault
from bmn.maker.verify import VerifyDeps, verify_escrows
from bmn.maker.watch import look_at, watch_order
from bmn.sdk.answers import OrderStatus
from bmn.sdk.client import ResolverUnreachable
from bmn.seams import SystemClock, SystemRng

pytestmark = pytest.mark.asyncio(loop_scope="module")

TIMING = ChainTiming(block_time=Seconds(1), depth=2, inclusion=Seconds(5), outage=Seconds(0))
MARGINS = Margins(
    src=TIMING,
    dst=TIMING,
    detect=Seconds(1),
    recovery=Seconds(1),
    skew=Seconds(3),
    min_reveal=Seconds(1),
    max_lock=Seconds(10_000),
)
NEVER = UnixTime(2**40)
UNBORN = UnixTime(0)
SIGNER = dev_signer(MAKER_KEY, [])


@dataclass(frozen=True, kw_only=True)
class Story:
    """One maker with his tools, and the other side's moves."""

    src: DevChain
    dst: DevChain
    src_chain: RpcChain
    dst_chain: RpcChain
    vault: Vault
    verify: VerifyDeps

    def sender(self, chain: RpcChain, side: DevChain) -> SendDeps:
        return SendDeps(
            chain=chain,
            chain_id=side.anvil.chain_id,
            signer=SIGNER,
            vault=self.vault,
            clock=SystemClock(),
            patience=5.0,
        )

    @property
    def on_src(self) -> SendDeps:
        return self.sender(self.src_chain, self.src)

    @property
    def on_dst(self) -> SendDeps:
        return self.sender(self.dst_chain, self.dst)

    async def order(self) -> MakerOrder:
        terms = some_terms(
            self.verify.rules.src,
            self.verify.rules.dst,
            self.src.contracts.access_token,
            await chain_now(self.src.anvil),
        )
        return await create_order(terms, signer=SIGNER, rng=SystemRng(), vault=self.vault)

    async def fill(self, made: MakerOrder) -> Immutables:
        signed = made.signed
        terms = parse_swap_terms(signed, self.verify.rules.src.domain)
        immutables = Immutables(
            order_hash=terms.order_hash,
            hashlock=terms.hashlock,
            maker=MAKER,
            taker=self.src.contracts.resolver,
            token=terms.src_token,
            amount=terms.making_amount,
            safety_deposit=terms.src_deposit,
            timelocks=terms.timelocks,
        )
        args = TakerArgs(extension=signed.extension)
        calldata = resolver_calls.build_deploy_src(
            immutables=immutables,
            order=signed.order,
            signature=signed.signature,
            amount=terms.making_amount,
            taker_traits=pack_taker_traits(taker_traits_for(args, is_making_amount=True)),
            args=encode_taker_args(args),
            not_after=NEVER,
        )
        await must(self.src.anvil, OPERATOR, self.src.contracts.resolver, calldata)
        return replace(immutables, timelocks=immutables.timelocks.deployed(await chain_now(self.src.anvil)))

    def answer(self, made: MakerOrder, src: Immutables) -> Immutables:
        terms = parse_swap_terms(made.signed, self.verify.rules.src.domain)
        complement = DstComplement(
            maker=terms.receiver,
            amount=terms.taking_amount,
            token=terms.dst_token,
            safety_deposit=terms.dst_deposit,
            chain_id=terms.dst_chain,
        )
        return dst_immutables(src, complement, taker=self.dst.contracts.resolver, deployed_at=UNBORN)

    async def lock(self, made: MakerOrder, src: Immutables) -> None:
        calldata = resolver_calls.build_deploy_dst(
            immutables=self.answer(made, src),
            src_cancellation=src.timelocks.opens_at(Stage.SRC_CANCELLATION),
            margin=Seconds(10),
            not_after=NEVER,
        )
        await must(self.dst.anvil, OPERATOR, self.dst.contracts.resolver, calldata)

    async def bury(self) -> None:
        for side in (self.src, self.dst):
            await side.anvil.rpc("anvil_mine", hex(2), hex(1))

    async def locked_order(self) -> MakerOrder:
        made = await self.order()
        await approve_order(made, self.verify.rules.src, self.on_src)
        await self.lock(made, await self.fill(made))
        await self.bury()
        return made

    async def token_balance(self) -> int:
        data = token_calls.build_balance_of(MAKER)
        return token_calls.decode_amount(
            await self.dst_chain.call(self.dst.contracts.access_token, data, BlockTag.HEAD)
        )


@asynccontextmanager
async def a_story(world: Devnet, home: Path) -> AsyncIterator[Story]:
    src, dst = world.chains
    async with client_of(src) as src_chain, client_of(dst) as dst_chain:
        rules = VerifyRules(src=spec_of(src, start_block=0), dst=spec_of(dst, start_block=0), margins=MARGINS)
        verify = VerifyDeps(src=src_chain, dst=dst_chain, rules=rules, clock=SystemClock())
        yield Story(
            src=src,
            dst=dst,
            src_chain=src_chain,
            dst_chain=dst_chain,
            vault=a_vault(home, SIGNER),
            verify=verify,
        )


async def is_offered(story: Story, order_hash: OrderHash, purpose: str) -> bool:
    sent = [one.hash for one in story.vault.load(order_hash).transactions if one.purpose == purpose]
    return any([await story.src_chain.transaction(tx_hash) is not None for tx_hash in sent])


class Ear:
    """A resolver that only listens."""

    def __init__(self) -> None:
        self.heard: dict[OrderHash, Secret] = {}

    async def hand_over_secret(self, order_hash: OrderHash, secret: Secret) -> None:
        self.heard[order_hash] = secret

    async def order(self, order_hash: OrderHash) -> OrderStatus:
        raise ResolverUnreachable("RESOLVER_UNREACHABLE", f"silent about {order_hash}")


async def test_the_secret_leaves_only_when_both_escrows_are_final(world: Devnet, tmp_path: Path) -> None:
    async with a_story(world, tmp_path) as story:
        ear, made = Ear(), await story.order()

        async def reveal() -> HandedOver | NotYet | Unsafe:
            return await reveal_to_resolver(made, verify=story.verify, vault=story.vault, resolver=ear)

        assert await reveal() == NotYet(reason="SRC_NOT_FOUND")
        assert await approve_order(made, story.verify.rules.src, story.on_src) is not None
        assert await approve_order(made, story.verify.rules.src, story.on_src) is None
        src = await story.fill(made)
        assert await reveal() == NotYet(reason="SRC_NOT_FINAL")
        await story.bury()
        assert await reveal() == NotYet(reason="DST_NOT_FOUND")
        await story.lock(made, src)
        assert await reveal() == NotYet(reason="DST_NOT_FINAL")
        assert ear.heard == {}
        assert not story.vault.load(made.order_hash).is_revealed
        await story.bury()
        assert isinstance(await reveal(), HandedOver)
        assert ear.heard[made.order_hash].hashlock == made.hashlock
        assert story.vault.load(made.order_hash).is_revealed


async def test_the_maker_pays_himself_out_without_any_resolver(world: Devnet, tmp_path: Path) -> None:
    async with a_story(world, tmp_path) as story:
        made, before = await story.locked_order(), await story.token_balance()
        first = await reveal_by_payout(made, verify=story.verify, send=story.on_dst)
        again = await reveal_by_payout(story.vault.load(made.order_hash), verify=story.verify, send=story.on_dst)
        assert isinstance(first, Paid)
        assert first == again
        assert await story.token_balance() == before + 990
        seen = await look_at(made, verify=story.verify, resolver=Ear())
        assert (seen.paid_in, seen.resolver_state, seen.is_over) == (first.tx_hash, None, True)


async def test_a_payout_by_the_resolver_is_seen_on_chain(world: Devnet, tmp_path: Path) -> None:
    async with a_story(world, tmp_path) as story:
        made = await story.locked_order()
        verdict = await verify_escrows(made, story.verify)
        assert isinstance(verdict, Verified)
        secret = story.vault.load_secret(made.order_hash)
        await must(
            story.dst.anvil,
            OPERATOR,
            story.dst.contracts.resolver,
            resolver_calls.build_withdraw_dst(secret, verdict.dst.immutables),
        )
        story.vault.set_revealed(made.order_hash)
        paid = await reveal_by_payout(story.vault.load(made.order_hash), verify=story.verify, send=story.on_dst)
        assert isinstance(paid, Paid)
        assert story.vault.load(made.order_hash).transactions[-1].purpose == "approve"


async def test_a_look_alike_escrow_of_one_unit_is_not_the_destination(world: Devnet, tmp_path: Path) -> None:
    async with a_story(world, tmp_path) as story:
        made = await story.order()
        await approve_order(made, story.verify.rules.src, story.on_src)
        src = await story.fill(made)
        cheap = replace(story.answer(made, src), amount=TokenAmount(0), safety_deposit=Wei(0))
        calldata = factory_calls.build_create_dst_escrow(cheap, NEVER)
        await must(story.dst.anvil, OPERATOR, story.dst.contracts.factory, calldata)
        await story.bury()
        assert await verify_escrows(made, story.verify) == NotYet(reason="DST_NOT_FOUND")


async def test_too_late_by_chain_time_the_secret_stays(world: Devnet, tmp_path: Path) -> None:
    async with a_story(world, tmp_path) as story:
        made = await story.locked_order()
        snapshot = await story.dst.anvil.rpc("evm_snapshot")
        await story.dst.anvil.rpc("evm_increaseTime", 1990)
        await story.dst.anvil.rpc("evm_mine")
        ear = Ear()
        verdict = await reveal_to_resolver(made, verify=story.verify, vault=story.vault, resolver=ear)
        assert isinstance(verdict, Unsafe)
        assert (verdict.code, ear.heard) == ("TOO_LATE", {})
        await story.dst.anvil.rpc("evm_revert", snapshot)


async def test_a_cancelled_order_is_spent_once(world: Devnet, tmp_path: Path) -> None:
    async with a_story(world, tmp_path) as story:
        made, spec = await story.order(), story.verify.rules.src
        assert not await is_order_spent(made, spec, story.on_src)
        assert await cancel_order(made, spec, story.on_src) is not None
        assert await is_order_spent(made, spec, story.on_src)
        assert await cancel_order(made, spec, story.on_src) is None


async def test_a_transaction_is_in_the_vault_and_replaced_at_its_nonce(world: Devnet, tmp_path: Path) -> None:
    async with a_story(world, tmp_path) as story:
        made, anvil = await story.order(), story.src.anvil
        await anvil.rpc("evm_setAutomine", False)
        wanted = Wanted(order_hash=made.order_hash, purpose="note", to=MAKER, data=b"", gas=Gas(30_000))
        impatient = replace(story.on_src, patience=0.0)
        try:
            with pytest.raises(Exception, match="TX_NOT_MINED"):
                await send_tx(wanted, impatient)
            sent = story.vault.load(made.order_hash).transactions
            assert len(sent) > 1
            assert len({one.nonce for one in sent}) == 1
            # Too late now: the nonce is filled with nothing, and the note is never mined.
            late = asyncio.create_task(send_tx(replace(wanted, not_after=UnixTime(1)), story.on_src))
            async with asyncio.timeout(20):
                while not await is_offered(story, made.order_hash, "nothing"):
                    await asyncio.sleep(0.01)
            await anvil.rpc("evm_mine")
            with pytest.raises(Refused) as error:
                await late
        finally:
            await anvil.rpc("evm_setAutomine", True)
        assert error.value.code == "TX_TOO_LATE"
        assert await story.src_chain.nonce(MAKER, BlockTag.HEAD) == sent[0].nonce + 1
        assert await height(anvil) > 0


class Sleepy(Ear):
    """A resolver that has not seen the last block yet, or has no time left."""

    def __init__(self, code: str) -> None:
        super().__init__()
        self.code = code

    async def hand_over_secret(self, order_hash: OrderHash, secret: Secret) -> None:
        raise Refused(self.code, f"no secret for {order_hash} now")


async def test_a_resolver_that_is_behind_is_asked_again_and_one_that_is_late_is_not(
    world: Devnet, tmp_path: Path
) -> None:
    async with a_story(world, tmp_path) as story:
        made = await story.locked_order()
        answer = await reveal_to_resolver(made, verify=story.verify, vault=story.vault, resolver=Sleepy("NOT_READY"))
        assert answer == NotYet(reason="RESOLVER_NOT_READY")
        with pytest.raises(Refused) as error:
            await reveal_to_resolver(made, verify=story.verify, vault=story.vault, resolver=Sleepy("TOO_LATE"))
        assert error.value.code == "TOO_LATE"


async def test_watching_ends_with_the_payout_although_the_resolver_is_silent(world: Devnet, tmp_path: Path) -> None:
    async with a_story(world, tmp_path) as story:
        made, seen = await story.locked_order(), []
        async with asyncio.timeout(30):
            async for progress in watch_order(made, verify=story.verify, resolver=Ear(), every=0.02):
                seen.append(progress)
                if len(seen) == 1:
                    await reveal_by_payout(made, verify=story.verify, send=story.on_dst)
        first, last = seen
        assert (first.paid_in, first.resolver_reason) == (None, "RESOLVER_UNREACHABLE")
        assert first.dst_escrow is not None
        assert last.paid_in is not None
