"""Python, our bytecode and the reference agree, case by case; see tests/vectors/README.md."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from tests.vector_runner.cases import DEFAULT_DIR, Case, Check, load_cases, run_case
from tests.vector_runner.runner import judge, open_file
from tests.vector_runner.timelocks import CHECKS

Checks = Callable[[str], Mapping[str, Check]]

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


def test_an_expected_value_that_nobody_computes_is_a_failure() -> None:
    case = _timelocks_case()
    more = replace(case, expected={**case.expected, "unheardOf": "1"})
    assert run_case(more, CHECKS[case.kind]) == "expected.unheardOf: not computed"


def test_a_computed_value_that_is_not_expected_is_a_failure() -> None:
    case = _timelocks_case()
    less = replace(case, expected={key: value for key, value in case.expected.items() if key != "packed"})
    assert run_case(less, CHECKS[case.kind]) == "expected.packed: computed 0, but not expected"
