"""Handing an order in: twice is once, and what cannot be filled is refused."""

import asyncio

import pytest
from tests.support.stack import Stack, allow

from bmn.core.errors import Refused
from bmn.core.units import TokenAmount
from bmn.devnet.world import OPERATOR_KEYS
from bmn.evm.devkeys import DEV_ADDRESSES


async def test_the_same_order_again_gets_the_same_answer_and_one_swap(stack: Stack) -> None:
    order = await stack.make_order()
    answers = await asyncio.gather(*(stack.client.submit_order(order.signed) for _ in range(4)))
    assert {(answer.order_hash, answer.hashlock) for answer in answers} == {
        (str(order.order_hash), str(order.hashlock))
    }
    await stack.settle(order)
    again = await stack.client.submit_order(order.signed)
    assert (again.order_hash, again.hashlock, again.state) == (str(order.order_hash), str(order.hashlock), "SETTLED")
    assert await stack.locks(order.hashlock) == 1


async def test_an_order_of_a_maker_without_allowance_is_refused(stack: Stack) -> None:
    await allow(stack.src, TokenAmount(0))
    order = await stack.make_order()
    with pytest.raises(Refused) as refused:
        await stack.client.submit_order(order.signed)
    assert refused.value.code == "MAKER_ALLOWANCE_TOO_LOW"
    assert "approve" in refused.value.hint
    for key in OPERATOR_KEYS:
        assert await stack.highest_stored_nonce(stack.src, DEV_ADDRESSES[key]) == -1
