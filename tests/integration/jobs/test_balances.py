"""Balances are read from the chains, and a low one is told."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs
from tests.support.job_rig import open_job_deps
from tests.support.swap_on_chain import spec_of
from tests.support.worlds import client_of, world

from bmn.core.errors import ChainError
from bmn.core.units import NATIVE, Address, TokenAmount
from bmn.devnet.anvil import Anvil
from bmn.devnet.world import Devnet
from bmn.evm.devkeys import DEV_ADDRESSES
from bmn.jobs import balance_monitor
from bmn.jobs.deps import JobDeps, Purse
from bmn.pg.pool import Pool

__all__ = ["world"]

NOBODY = Address.from_word(0xDEAD)


@pytest.fixture
async def deps(world: Devnet, store: Pool) -> AsyncIterator[JobDeps]:
    """A purse with BMN and one with the native coin, on the first chain."""
    dev = world.chains[0]
    spec = spec_of(dev, start_block=0)
    native = Purse(
        chain=spec.id,
        holder=DEV_ADDRESSES[0],
        role="operator-1",
        asset="native",
        token=NATIVE,
        decimals=18,
        floor=TokenAmount(1),
    )
    tokens = replace(
        native, holder=dev.contracts.resolver, role="resolver", asset="BMN", token=dev.contracts.access_token
    )
    async with client_of(dev) as client, open_job_deps(store, chains={spec.id: client}) as deps:
        yield replace(deps, specs={spec.id: spec}, purses=[native, tokens])


def gauge(name: str, role: str, chain: str) -> float | None:
    asset = "native" if role == "operator-1" else "BMN"
    return REGISTRY.get_sample_value(name, {"chain": chain, "role": role, "asset": asset})


async def test_each_purse_is_read_in_whole_coins(world: Devnet, deps: JobDeps) -> None:
    anvil: Anvil = world.chains[0].anvil
    await anvil.rpc("anvil_setBalance", str(DEV_ADDRESSES[0]), hex(3 * 10**18))
    with capture_logs() as told:
        assert await balance_monitor.run(deps) == {"purses": 2, "low": 0, "unread": 0}
    assert told == []
    assert gauge("bmn_balance", "operator-1", world.chains[0].name) == 3
    in_stock = gauge("bmn_balance", "resolver", world.chains[0].name)
    assert in_stock is not None
    assert in_stock > 0


async def test_a_purse_is_low_only_below_its_floor(deps: JobDeps, world: Devnet) -> None:
    await world.chains[0].anvil.rpc("anvil_setBalance", str(DEV_ADDRESSES[0]), hex(10**18))
    native = deps.purses[0]
    for floor, low in ((10**18, 0), (10**18 + 1, 1)):
        purses = [replace(native, floor=TokenAmount(floor))]
        with capture_logs() as told:
            assert (await balance_monitor.run(replace(deps, purses=purses)))["low"] == low
        assert [line["event"] for line in told] == ["balance_low"] * low


async def test_what_cannot_be_read_hides_nothing_else(deps: JobDeps) -> None:
    no_token = replace(deps.purses[1], token=NOBODY)
    with capture_logs() as told:
        found = await balance_monitor.run(replace(deps, purses=[no_token, *deps.purses]))
    assert found == {"purses": 3, "low": 0, "unread": 1}
    assert [line["event"] for line in told] == ["balance_unread"]
    with pytest.raises(ChainError, match="BALANCES_UNREAD"):
        await balance_monitor.run(replace(deps, purses=[no_token]))
