"""A swap that cannot be decided is tried on, and a person is told (money rule 11)."""

import asyncio
from dataclasses import replace

from prometheus_client import REGISTRY
from tests.support.resolver_rig import ResolverRig

from bmn.pg.pool import connection
from bmn.resolver.service import run_resolver


def told(code: str) -> float:
    return REGISTRY.get_sample_value("bmn_swaps_stuck_total", {"code": code}) or 0.0


async def test_a_pair_taken_out_of_the_settings_is_reported_and_its_swap_kept(rig: ResolverRig) -> None:
    await rig.accept(1)
    await rig.read()
    before = told("PAIR_MISSING")
    running = asyncio.create_task(run_resolver(replace(rig.deps, pairs={})))
    async with asyncio.timeout(20):
        while told("PAIR_MISSING") == before:
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    async with connection(rig.pool) as conn:
        assert await conn.fetchval("SELECT count(*) FROM messages") == 1
        assert await conn.fetchval("SELECT count(*) FROM dead_messages") == 0
