"""One swap, from signature to payment: signed, seen, processed, locked, revealed, completed; then a clean shutdown."""

import asyncio

from tests.support.stack import AMOUNT, MAKER, Stack, gas_paid, read_holdings

from bmn.core.units import Address
from bmn.devnet.world import OPERATOR_KEYS
from bmn.evm.devkeys import DEV_ADDRESSES

OPERATORS = tuple(DEV_ADDRESSES[key] for key in OPERATOR_KEYS)


async def test_an_order_becomes_a_completed_swap_and_only_gas_is_spent(stack: Stack) -> None:
    resolver = stack.src.contracts.resolver
    accounts = (MAKER, resolver, *OPERATORS)
    heights = [int(await chain.anvil.rpc("eth_blockNumber"), 16) for chain in stack.net.chains]
    before = [await read_holdings(chain, accounts) for chain in stack.net.chains]

    # 1. The maker signs an order with a safety deposit of 0.00002 and submits it.
    order = await stack.submit_order()
    # 2. The indexer sees the fill, 3. the queue is worked off, 4. the destination escrow is there.
    status = await stack.reach(order, "AWAIT_SECRET")
    assert status.src_escrow is not None
    assert status.dst_escrow is not None
    lock = await stack.lock_of(order.hashlock)
    assert lock is not None
    assert str(lock.escrow) == status.dst_escrow.address
    # 5. The secret is revealed, 6. the swap completes.
    status = await stack.settle(order)

    assert status.reason == "BOTH_FINAL"
    async with asyncio.timeout(40):
        while any(
            step.state == "mined" for step in status.transactions
        ):  # each lane sees finality on its own next pass
            status = await stack.reach(order, "SETTLED")
    assert await stack.locks(order.hashlock) == await stack.created(order.hashlock) == 1
    assert [(step.step, step.state) for step in status.transactions] == [
        (step, "done") for step in ("fill", "lock", "pay", "claim")
    ]
    await stack.no_nonce_is_stuck()
    assert stack.service is not None
    assert await stack.service.stop() == 0, stack.service.tail()

    escrows = [Address.from_hex(status.src_escrow.address), Address.from_hex(status.dst_escrow.address)]  # type: ignore[union-attr] # settled swaps have both
    for chain, had, height, gained in zip(stack.net.chains, before, heights, (AMOUNT, -AMOUNT), strict=True):
        has, gas = await read_holdings(chain, (*accounts, *escrows)), await gas_paid(chain, height)
        moved = {MAKER: -gained, resolver: gained}
        for account in accounts:
            assert has[account].token == had[account].token + moved.get(account, 0), (chain.name, account)
            assert has[account].native == had[account].native - gas.get(account, 0), (chain.name, account)
        assert all((has[escrow].token, has[escrow].native) == (0, 0) for escrow in escrows)
