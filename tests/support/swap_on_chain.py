"""One swap made by hand on a local chain: order, fill, lock, withdrawal, each sent from an unlocked dev account."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tests.support.swap_values import ESCROW_ORDER

from bmn.bindings import resolver_calls, token_calls
from bmn.core.chain import ChainSpec, Contracts
from bmn.core.compact_signature import parse_signature
from bmn.core.eip712 import order_hash
from bmn.core.escrow_order import WhitelistEntry, build_escrow_order
from bmn.core.immutables import DstComplement, Immutables, dst_immutables
from bmn.core.order import Order
from bmn.core.signed_order import SignedOrder
from bmn.core.timelocks import Timelocks
from bmn.core.traits import TakerArgs, encode_taker_args, low_80_bits, pack_taker_traits, taker_traits_for
from bmn.core.units import (
    Address,
    BlockNumber,
    ChainId,
    Hash32,
    OrderHash,
    Seconds,
    Secret,
    TokenAmount,
    UnixTime,
    Wei,
)
from bmn.devnet.anvil import Anvil
from bmn.devnet.world import MAKER_KEY, OPERATOR_KEYS, DevChain
from bmn.evm.devkeys import DEV_ADDRESSES, dev_signer

MAKER = DEV_ADDRESSES[MAKER_KEY]
OPERATOR = DEV_ADDRESSES[OPERATOR_KEYS[0]]
OTHER_CHAIN = ChainId(31338)
_LATER = UnixTime(2**40)
_UNBORN = UnixTime(0)
_GAS = 3_000_000

TIMELOCKS = Timelocks(
    src_withdrawal=Seconds(0),
    src_public_withdrawal=Seconds(200_000),
    src_cancellation=Seconds(400_000),
    src_public_cancellation=Seconds(500_000),
    dst_withdrawal=Seconds(0),
    dst_public_withdrawal=Seconds(100_000),
    dst_cancellation=Seconds(300_000),
    deployed_at=_UNBORN,
)
"""Withdrawals open at once and stay open."""


def spec_of(chain: DevChain, *, start_block: int, depth: int = 2) -> ChainSpec:
    return ChainSpec(
        name=chain.name,
        id=chain.anvil.chain_id,
        block_time=0.2,
        depth=depth,
        start_block=BlockNumber(start_block),
        contracts=chain.contracts,
        domain_name="1inch Limit Order Protocol",
        domain_version="4",
    )


async def send(anvil: Anvil, sender: Address, to: Address | None, data: bytes = b"", *, value: int = 0) -> str:
    """Offer a transaction; return its hash. With automine it is mined at once."""
    tx = {"from": str(sender), "data": "0x" + data.hex(), "value": hex(value), "gas": hex(_GAS)}
    sent: str = await anvil.rpc("eth_sendTransaction", tx if to is None else tx | {"to": str(to)})
    return sent


async def must(anvil: Anvil, sender: Address, to: Address | None, data: bytes = b"") -> Mapping[str, Any]:
    """Mine a transaction that must take effect; return its receipt. Needs automine."""
    tx_hash = await send(anvil, sender, to, data)
    async with asyncio.timeout(10):
        while (receipt := await anvil.rpc("eth_getTransactionReceipt", tx_hash)) is None:
            await asyncio.sleep(0.005)  # the node answers before it has mined
    assert receipt["status"] == "0x1", receipt
    return dict(receipt)


async def height(anvil: Anvil) -> int:
    return int(await anvil.rpc("eth_blockNumber"), 16)


async def chain_now(anvil: Anvil) -> UnixTime:
    return UnixTime(int((await anvil.rpc("eth_getBlockByNumber", "latest", False))["timestamp"], 16))


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapOnChain:
    """A swap whose both sides are on one chain; an indexer looks at one chain at a time anyway."""

    chain: DevChain
    secret: Secret
    signed: SignedOrder
    order_hash: OrderHash

    @property
    def contracts(self) -> Contracts:
        return self.chain.contracts

    @property
    def order(self) -> Order:
        return self.signed.order

    def src(self, deployed_at: UnixTime) -> Immutables:
        return Immutables(
            order_hash=self.order_hash,
            hashlock=self.secret.hashlock,
            maker=MAKER,
            taker=self.contracts.resolver,
            token=self.contracts.access_token,
            amount=self.order.making_amount,
            safety_deposit=Wei(1),
            timelocks=TIMELOCKS.deployed(deployed_at),
        )

    @property
    def complement(self) -> DstComplement:
        return DstComplement(
            maker=MAKER,
            amount=self.order.taking_amount,
            token=self.contracts.access_token,
            safety_deposit=Wei(2),
            chain_id=OTHER_CHAIN,
        )

    def dst(self, deployed_at: UnixTime) -> Immutables:
        return dst_immutables(
            self.src(_UNBORN), self.complement, taker=self.contracts.resolver, deployed_at=deployed_at
        )

    def fill_calldata(self) -> bytes:
        args = TakerArgs(extension=self.signed.extension)
        return resolver_calls.build_deploy_src(
            immutables=self.src(_UNBORN),
            order=self.order,
            signature=self.signed.signature,
            amount=self.order.making_amount,
            taker_traits=pack_taker_traits(taker_traits_for(args, is_making_amount=True)),
            args=encode_taker_args(args),
            not_after=_LATER,
        )

    def lock_calldata(self) -> bytes:
        return resolver_calls.build_deploy_dst(
            immutables=self.dst(_UNBORN), src_cancellation=_LATER, margin=Seconds(10), not_after=_LATER
        )

    async def fill(self) -> UnixTime:
        """Fill the order; return the block time."""
        return await self._mined(self.fill_calldata())

    async def lock(self) -> UnixTime:
        """Lock on the destination side; return the block time."""
        return await self._mined(self.lock_calldata())

    async def pay(self, locked_at: UnixTime) -> UnixTime:
        """Withdraw to the maker, which tells the secret; return the block time."""
        return await self._mined(resolver_calls.build_withdraw_dst(self.secret, self.dst(locked_at)))

    async def claim(self, filled_at: UnixTime) -> UnixTime:
        """Withdraw to the resolver; return the block time."""
        return await self._mined(resolver_calls.build_withdraw_src(self.secret, self.src(filled_at)))

    async def _mined(self, calldata: bytes) -> UnixTime:
        await must(self.chain.anvil, OPERATOR, self.contracts.resolver, calldata)
        return await chain_now(self.chain.anvil)


async def make_swap(chain: DevChain, number: int, *, secret: Secret | None = None) -> SwapOnChain:
    """Sign an order of its own for each `number`, and let the order protocol take the maker's tokens."""
    contracts, secret = chain.contracts, secret or Secret(bytes(30) + number.to_bytes(2, "big"))
    interaction = ESCROW_ORDER.post_interaction
    terms = replace(
        ESCROW_ORDER,
        maker=MAKER,
        maker_asset=contracts.access_token,
        taker_asset=contracts.noop_token,
        making_amount=TokenAmount(1000 + number),
        taking_amount=TokenAmount(900 + number),
        nonce=number,
        expiration=UnixTime(0),
        post_interaction=replace(
            interaction,
            factory=contracts.factory,
            resolving_start=_UNBORN,
            whitelist=(WhitelistEntry(low_bits=low_80_bits(contracts.resolver), delay=Seconds(0)),),
            extra=replace(
                interaction.extra,
                hashlock_info=Hash32(secret.hashlock),
                dst_chain_id=OTHER_CHAIN,
                dst_token=contracts.access_token,
                timelocks=TIMELOCKS,
            ),
        ),
    )
    order, extension = build_escrow_order(terms)
    chain_id = chain.anvil.chain_id
    digest = order_hash(spec_of(chain, start_block=0).domain, order)
    signature = await dev_signer(MAKER_KEY, [chain_id]).sign_digest(digest)
    approval = token_calls.build_approve(contracts.limit_order_protocol, TokenAmount(2**255))
    await must(chain.anvil, MAKER, contracts.access_token, approval)
    return SwapOnChain(
        chain=chain,
        secret=secret,
        signed=SignedOrder(
            src_chain=chain_id, order=order, extension=extension, signature=parse_signature(signature.to_bytes())
        ),
        order_hash=digest,
    )
