"""Where the time of workloads goes: in our process by function, and in PostgreSQL's processes as a whole.

    python -m bench.state.profile FOLDER --only W6 [--scale 0.5] [--backlog 20000] [--functions]

Without `--functions` nothing slows the workload down and only processor time is counted. With it our own functions are
listed, the dearest first; the workload is then slower, by about half.
"""

import cProfile
import pstats
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import uvloop
from rich.console import Console
from rich.table import Table

from bench.state.rig import Rig
from bench.state.twin import arguments, open_twin, write_line
from bmn.pg.pool import connection

_TICKS = 100.0
"""Of processor time a second, in /proc."""

_SHOWN = 30
_PARENT, _USER, _SYSTEM = 1, 11, 12  # in what follows the name in /proc/PID/stat


class Meter:
    """Processor time from one workload to the next, printed beside its result."""

    def __init__(self, postmaster: int) -> None:
        self._postmaster = postmaster
        self._before = self._read()

    def write(self, workload: str, result: dict[str, Any]) -> None:
        """Take a result; print it, and what was spent since the last one."""
        write_line(workload, result)
        now = self._read()
        spent = {name: seconds - self._before[1].get(name, 0.0) for name, seconds in now[1].items()}
        wall = now[0] - self._before[0]
        table = Table("process", "seconds", "share of a core", title=f"{workload}: {wall:.2f} s", title_justify="left")
        for name, seconds in sorted(spent.items(), key=lambda one: -one[1]):
            if seconds > 0:
                table.add_row(name, f"{seconds:.2f}", f"{seconds / wall:.0%}")
        Console(width=100, file=sys.stderr).print(table)
        self._before = self._read()

    def _read(self) -> tuple[float, dict[str, float]]:
        """Return the moment, and processor seconds by the kind of process."""
        found = {"ours (Python)": time.process_time()}
        for folder in Path("/proc").iterdir():
            if folder.name.isdecimal():
                with suppress(OSError):  # it has ended meanwhile
                    facts = _facts(int(folder.name))
                    kind = _kind((folder / "cmdline").read_text())
                    if int(facts[_PARENT]) == self._postmaster:
                        ticks = int(facts[_USER]) + int(facts[_SYSTEM])
                        found[kind] = found.get(kind, 0.0) + ticks / _TICKS
        return time.perf_counter(), found


def _kind(title: str) -> str:
    """Return what a process of the server does, by its title: `postgres: checkpointer`, `postgres: bmn postgres …`."""
    words = title.replace("\0", " ").split()[1:3]
    return "PostgreSQL, connections" if words[:1] == ["bmn"] else f"PostgreSQL, {' '.join(words)}"


async def _postmaster(rig: Rig) -> int:
    async with connection(rig.pool) as conn:
        backend: int = await conn.fetchval("SELECT pg_backend_pid()")
    return int(_facts(backend)[_PARENT])


def _facts(process: int) -> list[str]:
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()


async def _main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--functions", action="store_true")
    given = parser.parse_args()
    meters: list[Meter] = []

    def write(workload: str, result: dict[str, Any]) -> None:
        meters[0].write(workload, result)

    profile = cProfile.Profile()
    async with open_twin(given.folder, write, scale=given.scale, backlog=given.backlog) as (twin, rig):
        meters.append(Meter(await _postmaster(rig)))
        if given.functions:
            profile.enable()
        await twin.run(given.only)
        profile.disable()
    if given.functions:
        pstats.Stats(profile).sort_stats("tottime").print_stats(_SHOWN)


if __name__ == "__main__":
    uvloop.run(_main())
