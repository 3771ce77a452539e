"""What processes know of their endpoints, kept for people."""

import asyncio
from dataclasses import replace

import pytest
from tests.support.hand_clock import HandClock

from bmn.evm.vitals import EndpointReport, Vitals
from bmn.pg.kv import open_kv
from bmn.pg.pool import Pool, connection
from bmn.pg.wake import Wake
from bmn.store.endpoint_reports import EVERY_SECONDS, join_reports, load_endpoint_reports, run_endpoint_reports

FRESH = Vitals(HandClock()).report("alpha", "one")


async def until_kept(store: Pool, expected: list[EndpointReport]) -> None:
    async with asyncio.timeout(10), open_kv(store, Wake()) as kv:
        while await load_endpoint_reports(kv) != expected:
            await asyncio.sleep(0)


async def test_reports_are_kept_fresh_and_gone_a_minute_after_their_process(store: Pool) -> None:
    clock, reports = HandClock(), [FRESH]
    async with open_kv(store, Wake()) as kv:
        task = asyncio.create_task(run_endpoint_reports(kv, "host:1", lambda: reports, clock))
        await until_kept(store, [FRESH])
        reports[0] = replace(FRESH, calls_hour=7)
        await clock.advance(EVERY_SECONDS)
        await until_kept(store, [replace(FRESH, calls_hour=7)])
        task.cancel()
        async with connection(store) as conn:
            left = await conn.fetchval("SELECT extract(epoch FROM expires_at - clock_timestamp())::float8 FROM kv")
            await conn.execute("UPDATE kv SET expires_at = clock_timestamp() - interval '1 second'")
        assert left == pytest.approx(60, abs=10)
        assert await load_endpoint_reports(kv) == []


def test_calls_of_several_processes_add_up_and_the_longest_rest_is_shown() -> None:
    resting = replace(FRESH, state="open", reason="RPC_RATE_LIMITED", rests_for=9.0, calls_hour=5, calls_day=50, lag=3)
    busy = replace(FRESH, calls_hour=70, calls_day=700, in_flight=2)
    other = replace(FRESH, endpoint="two", calls_hour=1)
    for order in ([resting, busy, other], [busy, other, resting]):
        joined = {report.endpoint: report for report in join_reports(order)}
        assert joined["two"] == other
        one = joined["one"]
        assert (one.state, one.reason, one.rests_for, one.lag) == ("open", "RPC_RATE_LIMITED", 9.0, 3)
        assert (one.calls_hour, one.calls_day, one.in_flight, one.width) == (75, 750, 2, 2 * FRESH.width)
