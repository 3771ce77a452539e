"""Allowing the limit order protocol to take what the maker gives, and no more."""

from typing import Final

from bmn.bindings.token_calls import build_allowance, build_approve, decode_amount
from bmn.core.chain import ChainSpec
from bmn.core.units import Gas, TokenAmount
from bmn.evm.types import BlockTag, Receipt
from bmn.maker.send import SendDeps, Wanted, send_tx
from bmn.maker.vault import MakerOrder

_GAS: Final = Gas(120_000)


async def approve_order(
    order: MakerOrder,
    spec: ChainSpec,
    deps: SendDeps,
    *,
    also: TokenAmount = TokenAmount(0),  # noqa: B008 - a NewType of a constant
) -> Receipt | None:
    """Set the allowance to exactly what this order and `also` (other open orders of the token) need.

    Returns None when it is large enough already. A token that refuses to change an allowance that is not zero
    needs it set to zero first, so a smaller one is.

    Raises:
        TimedOut, Refused, ChainError: as `send_tx`.
    """
    protocol, token = spec.contracts.limit_order_protocol, order.order.maker_asset
    needed = TokenAmount(order.order.making_amount + also)
    answer = await deps.chain.call(token, build_allowance(deps.signer.address, protocol), BlockTag.HEAD)
    allowed = decode_amount(answer)
    if allowed >= needed:
        return None
    if allowed:
        nothing = build_approve(protocol, TokenAmount(0))
        await send_tx(_wanted(order, "approve none", nothing), deps)
    return await send_tx(_wanted(order, "approve", build_approve(protocol, needed)), deps)


def _wanted(order: MakerOrder, purpose: str, data: bytes) -> Wanted:
    return Wanted(order_hash=order.order_hash, purpose=purpose, to=order.order.maker_asset, data=data, gas=_GAS)
