"""While every ordinary slot waits for a slow chain, a claim is looked at within a second."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tests.support.resolver_rig import ResolverRig

from bmn.messages import WithdrawSrcEscrow, wake_swap
from bmn.pg.pool import connection, transaction
from bmn.resolver.service import run_resolver


@dataclass
class Silent:
    """A chain whose answers never come; it counts who waits."""

    waiting: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def clock_bounds(self) -> Any:
        return await self._never()

    async def _never(self) -> Any:
        self.waiting += 1
        self.asked.set()
        await asyncio.Event().wait()


async def test_a_claim_is_looked_at_while_every_ordinary_slot_waits_for_a_chain(rig: ResolverRig) -> None:
    swaps = [await rig.accept(200 + number) for number in range(20)]
    await rig.read()
    async with connection(rig.pool) as conn:
        await conn.execute("UPDATE chain_heads SET seen_at = 'epoch'")  # stale: every look asks the chain
    silent = Silent()
    chains: Any = dict.fromkeys(rig.deps.chains, silent)
    resolver = asyncio.create_task(run_resolver(replace(rig.deps, chains=chains)))
    try:
        async with asyncio.timeout(20):
            await until_waiting(silent, 8)
        async with transaction(rig.pool) as conn:
            await wake_swap(conn, swaps[-1].hashlock, WithdrawSrcEscrow)
        rig.deps.wake.signal()
        async with asyncio.timeout(1):
            await until_waiting(silent, 9)
        async with connection(rig.pool) as conn:
            held: Sequence[Any] = await conn.fetch("SELECT queue FROM messages WHERE lease_token IS NOT NULL")
        assert sum(row["queue"] == "orders:critical" for row in held) == 1
        assert len(held) == 9
    finally:
        resolver.cancel()
        await asyncio.gather(resolver, return_exceptions=True)


async def until_waiting(silent: Silent, number: int) -> None:
    while silent.waiting < number:
        silent.asked.clear()
        await silent.asked.wait()
