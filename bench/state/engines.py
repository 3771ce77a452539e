"""The two engines as processes: each run is a new process on a new database, and prints one JSON object a line."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_PEER = ROOT / "bench" / "peers" / "deno"
_LONGEST_RUN_SECONDS = 3600.0  # a slow disk makes the peer's long backlog an affair of many minutes
_LONGEST_STOP_SECONDS = 60.0


class EngineFailed(Exception):
    """An engine did not run to its end; the text says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What an engine is to run."""

    only: tuple[str, ...]
    scale: float
    backlog: int | None = None
    """Messages of W4, if more than W3 leaves."""


def run_ours(task: Task, folder: Path) -> str:
    """Run our twin; return what it printed.

    Raises:
        EngineFailed: it did not run.
    """
    command = [sys.executable, "-m", "bench.state.twin", str(folder)]
    command += ["--only", ",".join(task.only), "--scale", str(task.scale)]
    command += ["--backlog", str(task.backlog)] if task.backlog else []
    return run(command, "our engine did not run")


def run_peer(task: Task, folder: Path) -> str:
    """Run Deno; return what it printed.

    Raises:
        EngineFailed: it is not installed or did not run.
    """
    environment = {
        **os.environ,
        "SCALE": str(task.scale),
        "BACKLOG": str(task.backlog or 0),
        "DENO_NO_UPDATE_CHECK": "1",
    }
    with tempfile.TemporaryDirectory(prefix="bmn-bench-peer-", dir=folder) as data:
        command = [str(peer_program()), "run", "-A", "--unstable-kv", "bench.ts", f"{data}/b.kv", ",".join(task.only)]
        return run(command, "the peer, Deno, did not run; try `rm -rf bench/peers/deno/node_modules`", environment)


def peer_program() -> Path:
    """Return the Deno that npm installed.

    Raises:
        EngineFailed: there is none.
    """
    found = sorted(_PEER.glob("node_modules/@deno/*/deno"))
    if not found:
        raise EngineFailed(
            "the peer, Deno, is not installed for this machine: run `make bench-state`, which installs it with npm "
            "(Linux on x86_64; for another machine see bench/peers/deno/README.md)"
        )
    return found[0]


def peer_version() -> str:
    """Return how Deno names itself.

    Raises:
        EngineFailed: it does not run.
    """
    return run([str(peer_program()), "--version"], "the peer, Deno, does not start").splitlines()[0].strip()


def run(command: Sequence[str], failure: str, environment: dict[str, str] | None = None) -> str:
    """Run a command in the folder of the peer or the project; return what it printed.

    Raises:
        EngineFailed: with `failure`, it could not be started, ended badly, or did not end.
    """
    folder = ROOT if command[0] == sys.executable else _PEER
    try:
        # A session of its own: Ctrl-C comes to us alone, and we pass it on once.
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
    except OSError as error:
        raise EngineFailed(f"{failure}: {error}") from error
    try:
        output, _ = process.communicate(timeout=_LONGEST_RUN_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise EngineFailed(f"{failure}: no end after {_LONGEST_RUN_SECONDS:.0f} seconds") from error
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)  # ours stops its server on the way out
            process.wait(_LONGEST_STOP_SECONDS)
    if process.returncode != 0:
        raise EngineFailed(f"{failure}: exit status {process.returncode}")
    return output
