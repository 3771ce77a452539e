"""Compare our state engine with Deno KV: both engines in turn, medians, ratios. `make bench-state` runs it.

python -m bench.state [--quick] [--out FILE] [--folder DIR]
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.report import (
    Figure,
    Row,
    Single,
    compare,
    print_rows,
    print_singles,
    rows_in_markdown,
    singles,
    singles_in_markdown,
    write_json,
    write_section,
)
from bench.state import extras
from bench.state.engines import ROOT, EngineFailed, Task, peer_version, run, run_ours, run_peer
from bench.state.figures import figures
from bench.state.machine import describe, is_in_memory
from bench.state.twin import WORKLOADS

PEER = "Deno KV"
DOCUMENT = ROOT / "docs" / "performance.md"
_ROUNDS = 3
_LONG_BACKLOG = 20_000
_QUICK_SCALE = 0.1
_OTHER_FAILURE = "the figures without a peer could not be measured"

Engine = Callable[[Task, Path], str]


def main() -> int:
    """Measure, print, write; return the exit status."""
    given = _arguments()
    if is_in_memory(given.folder):
        print(f"bench-state: {given.folder} is in memory, name a real disk: --folder DIR", file=sys.stderr)
        return 1
    if given.out is not None and not given.out.absolute().parent.is_dir():
        print(f"bench-state: no folder {given.out.absolute().parent} for OUT", file=sys.stderr)
        return 1
    try:
        machine = describe(given.folder, peer_version())
        rows = measure_both(given.folder, quick=given.quick)
        rest = measure_rest(given.folder, quick=given.quick)
    except EngineFailed as failure:
        print(f"bench-state: {failure}", file=sys.stderr)
        return 1
    print_rows(f"Our state engine beside {PEER}; a ratio above 1 means ours is better", rows, PEER)
    print_singles("Ours alone", rest)
    print("\n".join(machine))
    if given.out is not None:
        write_json(given.out, rows)
    if not given.quick:
        write_section(DOCUMENT, "bench-state", section(machine, rows, rest))
    return 0


def measure_both(folder: Path, *, quick: bool) -> list[Row]:
    """Run both engines in turn; who begins changes from round to round.

    Raises:
        EngineFailed: one of them did not run.
    """
    scale = _QUICK_SCALE if quick else 1.0
    tasks = [
        Task(only=WORKLOADS, scale=scale),
        Task(only=("W4",), scale=scale, backlog=round(_LONG_BACKLOG * scale)),
    ]
    ours: list[list[Figure]] = []
    peer: list[list[Figure]] = []
    for number in range(1 if quick else _ROUNDS):
        turns: list[tuple[str, Engine, list[list[Figure]]]] = [
            ("ours", run_ours, ours),
            (PEER, run_peer, peer),
        ]
        for name, engine, runs in turns if number % 2 == 0 else reversed(turns):
            runs.append([figure for task in tasks for figure in _run(name, engine, task, folder, number + 1)])
    return sorted(compare(ours, peer), key=lambda row: row.name[:2])


def measure_rest(folder: Path, *, quick: bool) -> list[Single]:
    """Measure what the peer has no counterpart for.

    Raises:
        EngineFailed: it did not run.
    """
    command = [sys.executable, "-m", "bench.state.extras", str(folder)]
    scale = ["--scale", str(_QUICK_SCALE)] if quick else []
    found: list[list[Figure]] = []
    for number in range(1 if quick else _ROUNDS):
        _progress(f"round {number + 1}: ours alone")
        found.append(extras.parse(run([*command, *scale], _OTHER_FAILURE)))
    if quick:
        return singles(found)
    _progress("a million orders")
    million = extras.parse(run([*command, "--million"], _OTHER_FAILURE))
    return [*singles(found), *singles([million])]


def section(machine: list[str], rows: list[Row], rest: list[Single]) -> list[str]:
    """Return the document's section."""
    behind = [row.name for row in rows if row.ratio < 1]
    verdict = f"Behind: {'; '.join(behind)}." if behind else "Ahead on every line."
    how = f"Medians of {rows[0].runs} runs of each engine, in turn, each on a new database"
    return [
        *machine,
        "",
        f"{how}; a ratio above 1 means ours is better. {verdict}",
        "",
        *rows_in_markdown(rows, PEER),
        "",
        "Ours alone:",
        "",
        *singles_in_markdown(rest),
    ]


def _run(name: str, engine: Engine, task: Task, folder: Path, number: int) -> list[Figure]:
    what = " ".join(task.only) + (f", {task.backlog:,} waiting" if task.backlog else "")
    _progress(f"round {number}: {name}, {what}")
    try:
        found = figures(engine(task, folder))
    except ValueError as error:
        raise EngineFailed(f"{name} printed what is no result: {error}") from error
    # Asked for W4, both also do W3, which is measured already.
    wanted = [figure for figure in found if figure.name.startswith(task.only)]
    missing = [one for one in task.only if not any(figure.name.startswith(one) for figure in wanted)]
    if missing:
        raise EngineFailed(f"{name} gave no figure for {', '.join(missing)}")
    return wanted


def _progress(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench-state", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round, a tenth of the counts")
    parser.add_argument("--out", type=Path, help="write the comparison there as JSON")
    # Not the usual folder for temporary files: that is often in memory.
    default = Path("/var/tmp") if Path("/var/tmp").is_dir() else Path(tempfile.gettempdir())
    parser.add_argument("--folder", type=Path, default=default, help="where the data goes: a real disk")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
