"""The committed artifacts are what the Solidity sources compile to, byte for byte."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMMITTED = ROOT / "src" / "bmn" / "bindings" / "artifacts"
NAMES = ["BmnToken", "Create3Factory", "EscrowDst", "EscrowFactory", "EscrowSrc", "NoopToken", "Resolver"]


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    forge = ROOT / "contracts" / "node_modules" / ".bin" / "forge"
    assert forge.exists(), "forge is missing: run `make setup` (npm ci in contracts/)"
    folder = tmp_path_factory.mktemp("artifacts")
    done = subprocess.run(
        ["node", ROOT / "contracts" / "tools" / "export.mjs", folder],
        env=os.environ | {"HOME": str(tmp_path_factory.mktemp("forge-home"))},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_artifact_is_what_the_sources_compile_to(name: str, rebuilt: Path) -> None:
    assert (COMMITTED / f"{name}.json").read_bytes() == (rebuilt / f"{name}.json").read_bytes()


def test_every_committed_artifact_is_rebuilt(rebuilt: Path) -> None:
    assert sorted(path.stem for path in rebuilt.glob("*.json")) == NAMES
    assert sorted(path.stem for path in COMMITTED.glob("*.json")) == NAMES
