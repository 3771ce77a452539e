"""Health, balances and figures: looked at, kept, and told when they change."""

from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs
from tests.support.api_values import SRC
from tests.support.hand_clock import HandClock
from tests.support.job_rig import Component, open_job_deps
from tests.support.stored_swaps import put_head, put_swap
from tests.support.swap_values import BORN

from bmn.jobs import health_check, metrics_aggregator, secret_sweep
from bmn.jobs.deps import Health
from bmn.pg.kv import open_kv
from bmn.pg.pool import Pool, connection
from bmn.pg.wake import Wake
from bmn.store.metrics import load_minutes, save_minute

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def up(component: str) -> float | None:
    return REGISTRY.get_sample_value("bmn_component_up", {"component": component})


async def test_each_component_that_fails_and_comes_back_is_told_once(store: Pool) -> None:
    components: dict[str, Health] = {"database": Component(), "alpha": Component(head_age=1.5)}
    async with open_job_deps(store, components=components) as deps:
        with capture_logs() as told:
            assert await health_check.run(deps) == {"components": 2, "down": 0}
        assert told == []
        for name in ("database", "alpha"):
            components[name] = Component(healthy=False, detail="no answer")
            with capture_logs() as told:
                assert (await health_check.run(deps))["down"] == 1
                await health_check.run(deps)
            assert [(line["event"], line["component"], line["log_level"]) for line in told] == [
                ("component_down", name, "error")
            ]
            assert up(name) == 0
            kept = await health_check.load_health(deps, name)
            assert kept is not None
            assert (kept.healthy, kept.detail) == (False, "no answer")
            components[name] = Component()
            with capture_logs() as told:
                await health_check.run(deps)
            assert [line["event"] for line in told] == ["component_recovered"]
            assert up(name) == 1


async def test_the_figures_of_a_minute_outlive_the_process(store: Pool) -> None:
    await put_swap(store)
    async with connection(store) as conn:
        await put_head(conn, SRC, 20, BORN)
    clock = HandClock(NOON.timestamp() + 17)
    async with open_job_deps(store, clock=clock) as deps:
        await metrics_aggregator.run(deps)
        await clock.advance(60)
        await metrics_aggregator.run(deps)
        await metrics_aggregator.run(deps)  # the same minute again
    async with open_kv(store, Wake()) as kv:
        first, second = await load_minutes(kv, NOON, NOON + timedelta(minutes=2))
    assert (first.at, second.at) == (NOON, NOON + timedelta(minutes=1))
    assert first.figures["swaps.ACCEPTED"] == 1
    assert first.figures["chain.alpha.block"] == 20


async def test_a_range_of_minutes_has_its_start_and_not_its_end(store: Pool) -> None:
    async with open_kv(store, Wake()) as kv:
        for minute in range(1500):  # more than one page
            await save_minute(kv, NOON + timedelta(minutes=minute), {"n": minute})
        found = await load_minutes(kv, NOON + timedelta(minutes=1), NOON + timedelta(minutes=1401))
    assert [minute.figures["n"] for minute in found] == list(range(1, 1401))


async def test_figures_expire_after_a_month(store: Pool) -> None:
    async with open_kv(store, Wake()) as kv:
        await save_minute(kv, NOON, {"n": 1})
    async with connection(store) as conn:
        left = await conn.fetchval("SELECT extract(epoch FROM expires_at - clock_timestamp())::float8 FROM kv")
        await conn.execute("UPDATE kv SET expires_at = clock_timestamp() - interval '1 second'")
    assert left == pytest.approx(30 * 86_400, abs=60)
    async with open_job_deps(store) as deps:
        assert (await metrics_aggregator.run(deps))["expired"] == 1


async def test_the_sweep_ends_when_nothing_is_left(store: Pool) -> None:
    async with open_job_deps(store) as deps:
        assert await secret_sweep.run(deps) == {"wiped": 0}
