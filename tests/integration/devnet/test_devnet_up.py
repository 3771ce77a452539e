"""`bmn devnet up`: a place to try things on, in one command."""

import os
import signal
import subprocess
import sys
from pathlib import Path


def bmn(*words: str, home: Path) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BMN_")}
    return subprocess.Popen(
        [sys.executable, "-m", "bmn", *words],
        cwd=home,
        env=environment | {"BMN_HOME": str(home / "world")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_two_chains_with_verified_contracts_in_one_command_and_none_left_after_it(tmp_path: Path) -> None:
    devnet = bmn("devnet", "up", home=tmp_path)
    try:
        assert devnet.stdout is not None
        said: list[str] = []
        while not (said and said[-1].startswith("next:")):
            line = devnet.stdout.readline()
            assert line, f"it ended early, having said: {said}"
            said.append(line)
        config = tmp_path / "world" / "bmn.toml"
        verify = bmn("contracts", "verify", "--config", str(config), home=tmp_path)
        assert verify.communicate(timeout=60)[0].count("code is ours") == 2
        assert verify.returncode == 0
    finally:
        devnet.send_signal(signal.SIGTERM)
        devnet.communicate(timeout=30)
    assert devnet.returncode == 0
    after = bmn("contracts", "verify", "--config", str(config), home=tmp_path)
    assert "RPC_UNREACHABLE" in after.communicate(timeout=60)[0]
    assert after.returncode == 5
