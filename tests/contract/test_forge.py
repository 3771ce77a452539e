"""Every forge test as one case, and the committed gas figures; forge runs once."""

import fcntl
import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

CONTRACTS = Path(__file__).resolve().parents[2] / "contracts"
FORGE = CONTRACTS / "node_modules" / ".bin" / "forge"
SNAPSHOTS = ("Gas", "GasCalldataZeroBytes")

_CONTRACT = re.compile(r"^contract (\w+Test)\b", re.MULTILINE)
_TEST = re.compile(r"^ {4}function ((?:test|invariant)_\w+)\(", re.MULTILINE)


class TestResult(msgspec.Struct, frozen=True):
    __test__ = False

    status: str
    reason: str | None
    counterexample: object
    gas_snapshots: dict[str, dict[str, str]]


class Suite(msgspec.Struct, frozen=True):
    test_results: dict[str, TestResult]


@dataclass(frozen=True, slots=True)
class ForgeRun:
    """Results by `Contract.test`, and what forge said on standard error."""

    results: Mapping[str, TestResult]
    complaint: str


def _written() -> list[str]:
    """Every test in contracts/test, read from the sources: collection must not wait for a compiler."""
    names = []
    for path in sorted((CONTRACTS / "test").glob("*.t.sol")):
        source = path.read_text(encoding="utf-8")
        (contract,) = _CONTRACT.findall(source)
        names += [f"{contract}.{test}" for test in _TEST.findall(source)]
    return names


@pytest.fixture(scope="session")
def forge(tmp_path_factory: pytest.TempPathFactory) -> ForgeRun:
    assert FORGE.exists(), "forge is missing: run `make setup` (npm ci in contracts/)"
    order_protocol = CONTRACTS / "devnet" / "out" / "LimitOrderProtocol.json"
    assert order_protocol.exists(), "the order protocol is missing: run `make setup` (compile.mjs in contracts/devnet/)"
    cache = CONTRACTS / "cache"
    cache.mkdir(exist_ok=True)
    # Two pytest workers share one build folder.
    with (cache / "pytest.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run(
            [FORGE, "test", "--json", "--fuzz-seed", "0x1"],
            cwd=CONTRACTS,
            env=os.environ | {"HOME": str(tmp_path_factory.mktemp("forge-home"))},
            capture_output=True,
            timeout=150,
            check=False,
        )
    complaint = done.stderr.decode()
    assert done.stdout.startswith(b"{"), complaint or done.stdout.decode()
    suites = msgspec.json.decode(done.stdout, type=dict[str, Suite])
    results = {
        f"{suite_name.rpartition(':')[2]}.{signature.partition('(')[0]}": result
        for suite_name, suite in suites.items()
        for signature, result in suite.test_results.items()
    }
    return ForgeRun(results, complaint)


@pytest.mark.parametrize("name", _written())
def test_forge(name: str, forge: ForgeRun) -> None:
    assert name in forge.results, forge.complaint
    result = forge.results[name]
    assert result.status == "Success", f"{result.reason}; counterexample: {result.counterexample}"


def test_no_forge_test_is_left_out(forge: ForgeRun) -> None:
    assert set(forge.results) == set(_written())


@pytest.mark.parametrize("group", SNAPSHOTS)
def test_gas_is_as_committed(group: str, forge: ForgeRun) -> None:
    committed = json.loads((CONTRACTS / "snapshots" / f"{group}.json").read_text(encoding="utf-8"))
    measured: dict[str, str] = {}
    for result in forge.results.values():
        measured |= result.gas_snapshots.get(group, {})
    assert measured == committed


def test_no_call_costs_more_than_the_reference() -> None:
    table = json.loads((CONTRACTS / "gas.json").read_text(encoding="utf-8"))
    measured = json.loads((CONTRACTS / "snapshots" / "Gas.json").read_text(encoding="utf-8"))
    names = {f"{case['call']} | {case['variant']}" for case in table["cases"]}
    dearer = [
        case
        for case in table["cases"]
        if case["ours"] > case["reference"] and not case["call"].startswith("ResolverExample")
    ]
    assert names == set(measured)
    assert dearer == []
