"""The maker never reveals: the destination is taken back, the source is given back, and so are both deposits."""

from tests.support.stack import MAKER, Stack, gas_paid, read_holdings

from bmn.core.immutables import decode_immutables
from bmn.core.timelocks import Stage
from bmn.devnet.world import OPERATOR_KEYS
from bmn.evm.devkeys import DEV_ADDRESSES

OPERATORS = tuple(DEV_ADDRESSES[key] for key in OPERATOR_KEYS)


async def test_everybody_is_refunded_when_the_maker_walks_away(stack: Stack) -> None:
    accounts = (MAKER, stack.src.contracts.resolver, *OPERATORS)
    heights = [int(await chain.anvil.rpc("eth_blockNumber"), 16) for chain in stack.net.chains]
    before = [await read_holdings(chain, accounts) for chain in stack.net.chains]
    order = await stack.submit_order()
    status = await stack.reach(order, "AWAIT_SECRET")
    assert status.src_escrow is not None
    assert status.dst_escrow is not None
    src_cancellation, dst_cancellation = (
        decode_immutables(bytes.fromhex((escrow.immutables or "")[2:])).timelocks.opens_at(stage)
        for escrow, stage in (
            (status.src_escrow, Stage.SRC_CANCELLATION),
            (status.dst_escrow, Stage.DST_CANCELLATION),
        )
    )

    await stack.pass_until(stack.dst, dst_cancellation)
    await stack.reach(order, "UNWIND")
    await stack.pass_until(stack.src, src_cancellation)
    status = await stack.reach(order, "REFUNDED")

    assert [step.step for step in status.transactions] == ["fill", "lock", "cancel_dst", "cancel_src"]
    await stack.no_nonce_is_stuck()
    for chain, had, height in zip(stack.net.chains, before, heights, strict=True):
        has, gas = await read_holdings(chain, accounts), await gas_paid(chain, height)
        for account in accounts:
            assert has[account].token == had[account].token, (chain.name, account)
            assert has[account].native == had[account].native - gas.get(account, 0), (chain.name, account)
