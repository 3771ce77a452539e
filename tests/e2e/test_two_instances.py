"""Several whole instances on one database: added and removed while swaps are under way, gently and with kill -9."""

import socket

from tests.support.stack import Service, Stack


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


async def replace_instance(stack: Stack, leaving: Service) -> Service:
    """End the instance that answers the client and start another in its place."""
    assert await leaving.stop() == 0, leaving.tail()
    return await stack.start()


async def test_instances_come_and_go_while_swaps_are_under_way(stack: Stack) -> None:
    first = stack.service
    assert first is not None
    beside = await stack.start(
        BMN_API__PORT=free_port(), BMN_API__OPERATOR_PORT=free_port(), BMN_INDEXER__PORT=free_port()
    )
    orders = [await stack.submit_order() for _ in range(3)]

    # A rolling restart: the one that holds the lanes and follows the chains leaves, the other takes over.
    third = await replace_instance(stack, first)
    for order in orders[:2]:
        await stack.reach(order, "AWAIT_SECRET")
        await stack.hand_over(order)

    # A crash: whoever holds what now, the last one brings everything to its end.
    await beside.kill()
    stack.service = third
    for order in orders:
        await stack.settle(order) if order is orders[2] else await stack.reach(order, "SETTLED")
        assert await stack.locks(order.hashlock) == await stack.created(order.hashlock) == 1
        steps = [step.step for step in (await stack.status(order)).transactions]
        assert steps == ["fill", "lock", "pay", "claim"]
    await stack.no_nonce_is_stuck()
