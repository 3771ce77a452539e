"""Figures beside a peer's: medians, ratios, the table, the JSON file, the section of the document."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number of one run."""

    name: str
    unit: str
    """`ms` (less is better) or something a second (more is better)."""
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure of both engines: medians over all runs."""

    name: str
    unit: str
    ours: float
    peer: float
    ratio: float
    """How many times better ours is; below 1 it is worse."""
    runs: int
    """Of each engine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Single:
    """A figure that the peer has no counterpart for."""

    name: str
    unit: str
    value: float
    runs: int


def compare(ours: Sequence[Sequence[Figure]], peer: Sequence[Sequence[Figure]]) -> list[Row]:
    """Put the medians of both beside each other; each engine gave the same figures in each of its runs.

    Raises:
        ValueError: a figure is missing in one of the runs.
    """
    mine, theirs = _by_name(ours), _by_name(peer)
    if mine.keys() != theirs.keys():
        raise ValueError(f"only one engine gave {sorted(mine.keys() ^ theirs.keys())}")
    return [_row(name, unit, mine[name, unit], theirs[name, unit]) for name, unit in mine]


def singles(runs: Sequence[Sequence[Figure]]) -> list[Single]:
    """Return the medians of one engine's runs.

    Raises:
        ValueError: a figure is missing in one of the runs.
    """
    return [
        Single(name=name, unit=unit, value=median(values), runs=len(values))
        for (name, unit), values in _by_name(runs).items()
    ]


def print_rows(title: str, rows: Sequence[Row], peer: str) -> None:
    """Print the comparison on standard output."""
    table = Table("figure", "unit", title=title, title_justify="left")
    for head in ("ours", peer, "ratio"):
        table.add_column(head, justify="right")
    for row in rows:
        table.add_row(row.name, row.unit, _number(row.ours), _number(row.peer), _times(row.ratio))
    _print(table)


def print_singles(title: str, found: Sequence[Single]) -> None:
    """Print figures without a peer on standard output."""
    table = Table("figure", "unit", title=title, title_justify="left")
    table.add_column("ours", justify="right")
    for one in found:
        table.add_row(one.name, one.unit, _number(one.value))
    _print(table)


def write_json(file: Path, rows: Sequence[Row]) -> None:
    """Write every figure of both engines."""
    fields = ("name", "unit", "ours", "peer", "ratio", "runs")
    file.write_text(json.dumps([{field: getattr(row, field) for field in fields} for row in rows], indent=1) + "\n")


def rows_in_markdown(rows: Sequence[Row], peer: str) -> list[str]:
    """Return the lines of the table for the document."""
    head = [f"| figure | unit | ours | {peer} | ratio |", "|---|---|---:|---:|---:|"]
    return head + [
        f"| {row.name} | {row.unit} | {_number(row.ours)} | {_number(row.peer)} | {_times(row.ratio)} |" for row in rows
    ]


def singles_in_markdown(found: Sequence[Single]) -> list[str]:
    """Return the lines of the table for the document."""
    head = ["| figure | unit | ours | runs |", "|---|---|---:|---:|"]
    return head + [f"| {one.name} | {one.unit} | {_number(one.value)} | {one.runs} |" for one in found]


def write_section(document: Path, name: str, lines: Sequence[str]) -> None:
    """Replace what stands between the markers of section `name`, or begin the section at the end.

    Raises:
        ValueError: the section begins and does not end.
    """
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    text = document.read_text(encoding="utf-8")
    section = "\n".join([begin, *lines, end])
    before, found, rest = text.partition(begin)
    if not found:
        document.write_text(f"{text.rstrip()}\n\n{section}\n", encoding="utf-8")
        return
    _, closed, after = rest.partition(end)
    if not closed:
        raise ValueError(f"{document}: section {name} does not end")
    document.write_text(before + section + after, encoding="utf-8")


def _by_name(runs: Sequence[Sequence[Figure]]) -> dict[tuple[str, str], list[float]]:
    found: dict[tuple[str, str], list[float]] = {}
    for run in runs:
        for figure in run:
            found.setdefault((figure.name, figure.unit), []).append(figure.value)
    short = [name for (name, _), values in found.items() if len(values) != len(runs)]
    if short:
        raise ValueError(f"not in every run: {short}")
    return found


def _row(name: str, unit: str, ours: Sequence[float], peer: Sequence[float]) -> Row:
    mine, theirs = median(ours), median(peer)
    ratio = theirs / mine if unit == "ms" else mine / theirs
    return Row(name=name, unit=unit, ours=mine, peer=theirs, ratio=round(ratio, 2), runs=len(ours))


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _times(ratio: float) -> str:
    return f"{ratio:.1f}x" if ratio >= 10 else f"{ratio:.2f}x"


def _print(table: Table) -> None:
    console = Console()
    # A pipe has no width: nothing is to be cut off there.
    (console if console.is_terminal else Console(width=140)).print(table)
