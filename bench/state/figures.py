"""What the lines of a run say, as figures with a name and a unit; both engines write the same lines."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from bench.report import Figure

Line = Mapping[str, Any]


def figures(output: str) -> list[Figure]:
    """Read what an engine printed.

    Raises:
        ValueError: a line that is none of the workloads.
    """
    found: list[Figure] = []
    for text in output.splitlines():
        line = json.loads(text)
        prefix = str(line["workload"])[:2]
        if prefix not in _READ:
            raise ValueError(f"not a workload: {text}")
        found += _READ[prefix](line)
    return found


def _rate(name: str, unit: str = "ops/s") -> Callable[[Line], list[Figure]]:
    def read(line: Line) -> list[Figure]:
        callers = "1 caller" if line["conc"] == 1 else f"{line['conc']} callers"
        return [Figure(name=f"{name}, {callers}", unit=unit, value=line["ops_s"])]

    return read


def _backlog(line: Line) -> list[Figure]:
    return [Figure(name=f"W4 drain a backlog of {line['n']:,}", unit="steps/s", value=line["ops_s"])]


def _delivery(line: Line) -> list[Figure]:
    how = "one at a time" if line["workload"].endswith("one-at-a-time") else "50 a second"
    return _tails(f"W5 enqueue to handler, {how}", line)


def _life(line: Line) -> list[Figure]:
    name = f"W6 whole order, {line['conc']} in flight"
    tails = _tails(name, line, ("p50",))
    return tails if line["conc"] == 1 else [Figure(name=name, unit="orders/s", value=line["ops_s"]), *tails]


def _watch(line: Line) -> list[Figure]:
    return _tails("W8 write to watcher, same process", line)


def _tails(name: str, line: Line, which: Iterable[str] = ("p50", "p99")) -> list[Figure]:
    return [Figure(name=f"{name}, {tail}", unit="ms", value=line[f"{tail}_ms"]) for tail in which]


_READ: Mapping[str, Callable[[Line], list[Figure]]] = {
    "W1": _rate("W1 get"),
    "W2": _rate("W2 set"),
    "W3": _rate("W3 create and enqueue", "commits/s"),
    "W4": _backlog,
    "W5": _delivery,
    "W6": _life,
    "W7": _rate("W7 first 100 of a status", "pages/s"),
    "W8": _watch,
}
