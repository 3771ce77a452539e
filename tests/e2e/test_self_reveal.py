"""The resolver stalls with everything locked: the maker pays himself out, and the resolver claims when it is back."""

from tests.support.stack import AMOUNT, MAKER, Stack, read_holdings, until

from bmn.core.units import TxHash
from bmn.maker.evidence import Unsafe
from bmn.maker.reveal import Paid, reveal_by_payout


async def test_the_maker_pays_himself_out_while_the_resolver_is_stalled(stack: Stack) -> None:
    resolver = stack.src.contracts.resolver
    before, stock = await read_holdings(stack.dst, [MAKER]), await read_holdings(stack.src, [resolver])
    order = await stack.submit_order()
    await stack.reach(order, "AWAIT_SECRET")
    assert stack.service is not None
    stack.service.stall()

    async def pay_out() -> TxHash | None:
        outcome = await reveal_by_payout(order, verify=stack.verify, send=stack.sending(stack.dst))
        assert not isinstance(outcome, Unsafe), outcome
        return outcome.tx_hash if isinstance(outcome, Paid) else None

    paid = await until(pay_out, "the maker is paid")
    after = await read_holdings(stack.dst, [MAKER])
    assert after[MAKER].token == before[MAKER].token + AMOUNT

    stack.service.resume()
    status = await stack.reach(order, "SETTLED")
    assert str(paid) not in {step.hash for step in status.transactions}
    held = await read_holdings(stack.src, [resolver])
    assert held[resolver].token == stock[resolver].token + AMOUNT
    await stack.no_nonce_is_stuck()
