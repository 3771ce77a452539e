"""Taking an order back, before it is filled. After the fill only the timelocks give the tokens back."""

from typing import Final

from bmn.bindings.order_protocol_calls import (
    build_bit_invalidator_for_order,
    build_cancel_order,
    decode_bit_invalidator,
)
from bmn.core.chain import ChainSpec
from bmn.core.traits import unpack_maker_traits
from bmn.core.units import Gas
from bmn.evm.types import BlockTag, Receipt
from bmn.maker.send import SendDeps, Wanted, send_tx
from bmn.maker.vault import MakerOrder

_GAS: Final = Gas(120_000)


async def is_order_spent(order: MakerOrder, spec: ChainSpec, deps: SendDeps) -> bool:
    """Whether the order's nonce is spent at the head of the source chain: filled or cancelled, nobody can fill it.

    Raises:
        ChainError: the chain could not be read.
    """
    traits = unpack_maker_traits(order.order.maker_traits)
    ask = build_bit_invalidator_for_order(order.order.maker, traits.nonce)
    answer = await deps.chain.call(spec.contracts.limit_order_protocol, ask, BlockTag.HEAD)
    return bool(decode_bit_invalidator(answer) >> (traits.nonce & 0xFF) & 1)


async def cancel_order(order: MakerOrder, spec: ChainSpec, deps: SendDeps) -> Receipt | None:
    """Spend the order's nonce as the maker; None when it is spent already.

    Raises:
        TimedOut, Refused, ChainError: as `send_tx`.
    """
    if await is_order_spent(order, spec, deps):
        return None
    wanted = Wanted(
        order_hash=order.order_hash,
        purpose="cancel",
        to=spec.contracts.limit_order_protocol,
        data=build_cancel_order(order.order.maker_traits, order.order_hash),
        gas=_GAS,
    )
    return await send_tx(wanted, deps)
