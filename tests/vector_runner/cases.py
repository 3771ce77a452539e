"""Golden vectors: files of cases, and how a computed value is held against an expected one."""

import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

DEFAULT_DIR = Path(__file__).resolve().parents[1] / "vectors"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One case of one file, as read from JSON."""

    file: str
    id: str
    kind: str
    input: Mapping[str, Any]
    expected: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class NotChecked:
    """Stands for an expected value that cannot be computed here; the reason is for the reader."""

    reason: str


Computed: TypeAlias = Mapping[str, object]
Check: TypeAlias = Callable[[Case], Computed]
"""Computes every value of `case.expected` from `case.input`."""


def vectors_dir() -> Path:
    """The folder named by BMN_VECTORS, or the one beside this package."""
    return Path(os.environ.get("BMN_VECTORS", DEFAULT_DIR))


def load_cases(path: Path) -> list[Case]:
    """Read one file."""
    document = json.loads(path.read_text())
    return [
        Case(file=path.stem, id=raw["id"], kind=raw["kind"], input=raw["input"], expected=raw["expected"])
        for raw in document["cases"]
    ]


def run_case(case: Case, check: Check) -> str | None:
    """Return what is wrong, or None."""
    computed = check(case)
    return next(iter(_differences("expected", case.expected, computed)), None)


def _differences(where: str, expected: object, computed: object) -> Iterable[str]:
    if isinstance(computed, NotChecked):
        return
    if isinstance(expected, Mapping):
        if not isinstance(computed, Mapping):
            yield f"{where}: got {computed!r} instead of an object"
            return
        for key in sorted(expected.keys() | computed.keys()):
            if key not in computed:
                yield f"{where}.{key}: not computed"
            elif key not in expected:
                yield f"{where}.{key}: computed {computed[key]!r}, but not expected"
            else:
                yield from _differences(f"{where}.{key}", expected[key], computed[key])
    elif isinstance(expected, list):
        if not isinstance(computed, list | tuple) or len(computed) != len(expected):
            yield f"{where}: got {computed!r} instead of {len(expected)} items"
            return
        for at, (want, got) in enumerate(zip(expected, computed, strict=True)):
            yield from _differences(f"{where}[{at}]", want, got)
    elif not _is_same(expected, computed):
        yield f"{where}: got {_show(computed)}, expected {expected!r}"


def _is_same(expected: object, computed: object) -> bool:
    """Strict: bytes are 0x-hex in any case, integers are JSON numbers or decimal strings, all else is equal."""
    if isinstance(computed, bytes):
        return isinstance(expected, str) and expected.lower() == "0x" + bytes(computed).hex()
    if isinstance(computed, bool) or isinstance(expected, bool) or expected is None:
        return computed is expected
    if isinstance(computed, int):
        return isinstance(expected, int | str) and str(expected) == str(int(computed))
    return type(computed) is type(expected) and computed == expected


def _show(value: object) -> str:
    return "0x" + bytes(value).hex() if isinstance(value, bytes) else repr(value)
