"""What the peer has no counterpart for, measured on a new engine; one JSON object a line on standard output.

python -m bench.state.extras FOLDER [--scale 0.1] [--million]
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import uvloop
from tests.support.million import measure as measure_million

from bench.report import Figure
from bench.state.across import measure_delivery, measure_lives, measure_watch
from bench.state.claims import measure_claims
from bench.state.plain import measure_plain
from bench.state.rig import new_home, open_rig
from bench.state.updates import measure_updates

_TAILS = ("p50", "p99")


async def run(folder: Path, scale: float) -> None:
    """Measure and print everything but the million orders."""
    with new_home(folder) as home:
        async with open_rig(home) as rig:
            _say(await measure_delivery(rig, _count(200, scale)))
            _say(await measure_lives(rig, _count(500, scale)))
            _say(await measure_watch(rig, _count(200, scale)))
            _say(await measure_plain(rig, _count(500, scale)))
            _say(await measure_updates(rig, folder, _count(500, scale)))
            for backlog in (1_000, 100_000):
                _say(await measure_claims(rig, backlog))


async def run_million(folder: Path) -> None:
    """Measure and print the swap store's lists in a table of a million orders."""
    with new_home(folder) as home:
        async with open_rig(home) as rig:
            for read in await measure_million(rig.dsn):
                name = f"among 1,000,000 orders: {read['name']}"
                _say([Figure(name=f"{name}, {tail}", unit="ms", value=float(read[f"{tail}_ms"])) for tail in _TAILS])


def parse(output: str) -> list[Figure]:
    """Read what this program printed."""
    return [Figure(**json.loads(line)) for line in output.splitlines()]


def _say(figures: Sequence[Figure]) -> None:
    for figure in figures:
        print(json.dumps(asdict(figure)), flush=True)


def _count(full: int, scale: float) -> int:
    return max(50, round(full * scale))


async def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the data goes: a real disk")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--million", action="store_true", help="only the reads among a million orders")
    given = parser.parse_args()
    await (run_million(given.folder) if given.million else run(given.folder, given.scale))


if __name__ == "__main__":
    uvloop.run(_main())
