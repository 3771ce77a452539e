"""Python, our bytecode and the reference agree, case by case; see tests/vectors/README.md."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from tests.vector_runner.cases import DEFAULT_DIR, Case, Check, load_cases, run_case
from tests.vector_runner.runner import judge, open_file
from tests.vector_runner.timelocks import CHECKS

Checks = Callable[[str], Mapping[str, Check]]

Place: TypeAlias = tuple[str | int, ...]
"""Keys and indexes down to a value."""

_CASES = [case for path in sorted(DEFAULT_DIR.glob("*.json")) for case in load_cases(path)]


@pytest.fixture(scope="module")
def checks_of() -> Iterator[Checks]:
    with ExitStack() as stack:
        opened: dict[str, Mapping[str, Check]] = {}

        def checks(name: str) -> Mapping[str, Check]:
            if name not in opened:
                opened[name] = stack.enter_context(open_file(Path(f"{name}.json")))
            return opened[name]

        yield checks


@pytest.mark.parametrize("case", _CASES, ids=lambda case: case.id)
def test_reproduces(case: Case, checks_of: Checks) -> None:
    assert judge(case, checks_of(case.file)).failure is None


def _timelocks_case() -> Case:
    return next(case for case in _CASES if case.file == "timelocks")


def test_an_unknown_kind_is_a_failure() -> None:
    assert judge(replace(_timelocks_case(), kind="never-seen"), CHECKS).failure == "unknown kind 'never-seen'"


def test_an_unknown_file_is_a_failure() -> None:
    case = replace(_timelocks_case(), file="never-seen")
    with open_file(Path("never-seen.json")) as checks:
        assert judge(case, checks).failure is not None


def test_a_changed_value_is_a_failure() -> None:
    case = _timelocks_case()
    changed = replace(case, expected={**case.expected, "rescueStart": "604801"})
    assert run_case(case, CHECKS[case.kind]) is None
    assert run_case(changed, CHECKS[case.kind]) == "expected.rescueStart: got 604800, expected '604801'"


_UNTOLD = {"attackerGainedAfterPublicCancel", "publicCancelStatus"}
"""What follows from things that the input of the case does not say."""


@pytest.mark.parametrize(
    "case",
    [
        case
        for case in _CASES
        if case.file in {"bmn_variants", "immutables_v12"}
        or (case.file == "abi" and case.input["variant"] != "1inch-v1")
    ],
    ids=lambda case: case.id,
)
def test_any_changed_value_of_another_variant_is_a_failure(case: Case, checks_of: Checks) -> None:
    for path, value in _leaves(case.expected):
        # The caller of the factory, a topic of its last log, is no input.
        if path[-1] in _UNTOLD or (case.kind == "post-interaction" and path[2:] == ("topics", 3)):
            continue
        changed = replace(case, expected=_with(case.expected, path, _changed(value)))
        assert judge(changed, checks_of(case.file)).failure is not None, path


def _leaves(value: object, path: Place = ()) -> Iterator[tuple[Place, object]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, (*path, key))
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from _leaves(item, (*path, at))
    else:
        yield path, value


def _with(value: Any, path: Place, leaf: object) -> Any:
    if not path:
        return leaf
    copy: Any = dict(value) if isinstance(value, Mapping) else list(value)
    copy[path[0]] = _with(value[path[0]], path[1:], leaf)
    return copy


def _changed(value: object) -> object:
    """The next number; the last nibble turned over; another text."""
    if isinstance(value, bool):
        return not value
    assert isinstance(value, str)
    if value.isdigit():
        return str(int(value) + 1)
    if value.startswith("0x") and len(value) > 2:
        return value[:-1] + f"{int(value[-1], 16) ^ 1:x}"
    return value + "00"


def test_an_expected_value_that_nobody_computes_is_a_failure() -> None:
    case = _timelocks_case()
    more = replace(case, expected={**case.expected, "unheardOf": "1"})
    assert run_case(more, CHECKS[case.kind]) == "expected.unheardOf: not computed"


def test_a_computed_value_that_is_not_expected_is_a_failure() -> None:
    case = _timelocks_case()
    less = replace(case, expected={key: value for key, value in case.expected.items() if key != "packed"})
    assert run_case(less, CHECKS[case.kind]) == "expected.packed: computed 0, but not expected"
