"""`[schedules]` and what jobs are told of our accounts."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.swap_values import an_address

from bmn.config.build import build_purses, plan_jobs
from bmn.config.load import load_settings
from bmn.config.settings import Settings
from bmn.core.errors import ConfigError
from bmn.core.units import NATIVE

CHAIN = """
[chains.{name}]
id = {id}
rpc = ["http://127.0.0.1:1"]
depth = 2
block_time = 0.5
inclusion = 3
outage = 5
start_block = 0
max_fee_per_gas = 7
[chains.{name}.contracts]
factory = "0x78Ce8bcA75CF869e846a119aE4f3e59604cd30c5"
limit_order_protocol = "0x43A4555C04B7b426b73701Ee8006aF0aC4C2ff9C"
resolver = "0xe8D5F39Ff9Eebea10a59985afBDD8Ac170F17885"
access_token = "0xd92eB1a3b9E0211E1CeD5FE98d4f5C84229dc84F"
noop_token = "0xFA1358982B2fD4f0360cFcF5f53C2Ddf67aCE488"
"""
FILE = f"""
{CHAIN.format(name="alpha", id=31337)}
{CHAIN.format(name="beta", id=31338)}
[[pairs]]
src = "alpha"
dst = "beta"
[limits]
max_safety_deposit = 1000
[tokens.BMN]
decimals = 6
max_amount = "1.5"
[tokens.BMN.addresses]
alpha = "0xd92eB1a3b9E0211E1CeD5FE98d4f5C84229dc84F"
beta = "0xd92eB1a3b9E0211E1CeD5FE98d4f5C84229dc84F"
"""

Load = Callable[[str], Settings]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Read a file of this text."""

    def read(more: str) -> Settings:
        path = tmp_path / "bmn.toml"
        path.write_text(FILE + more)
        return load_settings(path)

    return read


def test_the_time_of_a_job_is_a_text_or_a_text_with_a_zone(load: Load) -> None:
    settings = load(
        """
        [schedules]
        state-sync = "every 5m"
        [schedules.secret-sweep]
        spec = "30 2 * * *"
        zone = "Europe/Berlin"
        """
    )
    planned = {schedule.name: (schedule.spec, schedule.zone) for schedule in plan_jobs(settings)}
    assert planned["state-sync"] == ("every 5m", "UTC")
    assert planned["secret-sweep"] == ("30 2 * * *", "Europe/Berlin")
    assert planned["timelock-monitor"] == ("*/10 * * * * *", "UTC")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('state-sync = "* 25 * * *"', ("schedules.state-sync", "hour field '25'", "for example")),
        ('state-sink = "every 5m"', ("schedules.state-sink: there is no such job", "state-sync")),
        ('state-sync = { spec = "every 5m", zone = "Mars" }', ("schedules.state-sync", "no time zone 'Mars'")),
        ('state-sync = { every = "5m" }', ("schedules.state-sync.every: unknown key",)),
    ],
)
def test_a_time_that_cannot_be_is_refused_with_its_place(load: Load, line: str, words: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError) as refused:
        load(f"[schedules]\n{line}\n")
    for word in words:
        assert word in refused.value.detail


def test_what_we_must_hold_follows_from_what_we_may_have_to_send(load: Load) -> None:
    floors = {(one.chain, one.role, one.asset): one.floor for one in build_purses(load(""), [an_address(1)])}
    assert floors == {
        (31337, "operator-1", "native"): 14_000_000,
        (31337, "resolver", "native"): 1000,
        (31337, "resolver", "BMN"): 0,  # makers are paid on the other chain
        (31338, "operator-1", "native"): 14_000_000,
        (31338, "resolver", "native"): 1000,
        (31338, "resolver", "BMN"): 1_500_000,
    }
    holders = {one.holder for one in build_purses(load(""), [an_address(1)]) if one.token == NATIVE}
    assert an_address(1) in holders
