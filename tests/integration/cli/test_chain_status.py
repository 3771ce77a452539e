"""`bmn chain status` and `bmn doctor` over endpoints that answer, lag, rest or fail; no URL is ever shown."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.support.hand_clock import HandClock
from tests.support.postgres import fresh_database
from tests.support.scripted_node import ScriptedNode, open_scripted_node, wire_head

from bmn.evm.failures import RateLimited
from bmn.evm.vitals import Vitals
from bmn.pg.kv import open_kv
from bmn.pg.pool import open_pool
from bmn.pg.wake import Wake
from bmn.store.endpoint_reports import PREFIX

KEY = "0123456789abcdef"
SETTINGS = """
[chains.alpha]
id = 31337
rpc = [{{ name = "one", url = "{one}" }}, {{ name = "two", url = "{two}" }}]
depth = 2
block_time = 1
inclusion = 10
outage = 10
start_block = 0
max_fee_per_gas = 1000000000
[chains.alpha.contracts]
factory = "0x1111111111111111111111111111111111111111"
limit_order_protocol = "0x1111111111111111111111111111111111111111"
resolver = "0x1111111111111111111111111111111111111111"
access_token = "0x1111111111111111111111111111111111111111"
noop_token = "0x1111111111111111111111111111111111111111"
"""


@pytest.fixture
def dsn(postgres: str, store_template: str) -> Iterator[str]:
    with fresh_database(postgres, template=store_template) as address:
        yield address


@pytest.fixture
async def nodes(tmp_path: Path) -> AsyncIterator[tuple[ScriptedNode, ScriptedNode]]:
    async with open_scripted_node() as one, open_scripted_node() as two:
        one.answers["eth_getBlockByNumber"] = wire_head(105)
        two.answers["eth_getBlockByNumber"] = wire_head(100)
        (tmp_path / "bmn.toml").write_text(SETTINGS.format(one=one.url, two=two.url))
        yield one, two


async def bmn(folder: Path, dsn: str, *words: str) -> tuple[int, Any, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bmn", *words, "--json"),
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not name.startswith("BMN_")}
        | {"BMN_DATABASE_URL": dsn, "BMN_HOME": str(folder)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        out, said = await process.communicate()
    assert process.returncode is not None
    assert KEY not in out.decode() + said.decode()
    assert out, said.decode()
    return process.returncode, json.loads(out), said.decode()


async def test_each_endpoint_is_shown_with_its_lag_and_what_running_processes_know(
    nodes: tuple[ScriptedNode, ScriptedNode], dsn: str, tmp_path: Path
) -> None:
    vitals = Vitals(HandClock())
    vitals.failed(RateLimited("slow down", retry_after=120.0), begun=0.0)
    await vitals.enter(37, is_urgent=False)
    async with open_pool(dsn) as pool, open_kv(pool, Wake()) as kv:
        await kv.set(PREFIX + "host:1", msgspec.json.encode([vitals.report("alpha", "two")]))
    code, (one, two), _ = await bmn(tmp_path, dsn, "chain", "status")
    assert code == 0
    assert (one["endpoint"], one["id"], one["block"], one["lag"]) == ("one", 31337, 105, 0)
    assert one["ms"] >= 0
    assert "state" not in one
    assert (two["block"], two["lag"], two["calls_hour"]) == (100, 5, 37)
    assert (two["state"], two["resting"]) == ("open", "RPC_RATE_LIMITED, 120 s")


async def test_an_endpoint_of_another_chain_fails_the_command_and_the_others_are_shown(
    nodes: tuple[ScriptedNode, ScriptedNode], dsn: str, tmp_path: Path
) -> None:
    nodes[1].answers["eth_chainId"] = "0x1"
    code, (one, two), said = await bmn(tmp_path, dsn, "chain", "status")
    assert code == 5
    assert one["block"] == 105
    assert two["error"].startswith("WRONG_CHAIN")
    assert "RPC_UNREACHABLE: 1 of 2 endpoints" in said


async def test_without_a_database_the_endpoints_are_asked_all_the_same(
    nodes: tuple[ScriptedNode, ScriptedNode], tmp_path: Path
) -> None:
    code, found, said = await bmn(tmp_path, "postgresql://nobody@127.0.0.1:9/none", "chain", "status")
    assert code == 0
    assert [one["block"] for one in found] == [105, 100]
    assert "what running processes know is not shown" in said


async def test_the_doctor_names_each_endpoint(
    nodes: tuple[ScriptedNode, ScriptedNode], dsn: str, tmp_path: Path
) -> None:
    nodes[1].answers["eth_chainId"] = "0x1"
    _, found, _ = await bmn(tmp_path, dsn, "doctor")
    checks = {row["check"]: row for row in found["checks"]}
    [fine] = [name for name in checks if name.startswith("endpoint alpha/one: block 105, 0 behind")]
    assert checks[fine]["ok"]
    assert checks["endpoint alpha/two"]["code"] == "WRONG_CHAIN"
