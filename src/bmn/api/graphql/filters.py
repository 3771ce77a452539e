"""The `where` of a list, read into tests of columns."""

from collections.abc import Mapping
from typing import Any, Final

from bmn.api.graphql.refusals import refused
from bmn.api.graphql.schema import TESTS
from bmn.store.lists import Either, Every, Test, Value, Where
from bmn.store.published import Table

MOST_TESTS: Final = 200
MOST_VALUES: Final = 1_000
"""In all lists of one filter."""


def read_filter(table: Table, where: Mapping[str, Any]) -> Where:
    """Return the tests; fields of one object must all hold, those of `OR` one of them.

    Raises:
        RequestRefused: GQL_COST, more tests or values than allowed; BAD_TEXT.
    """
    budget = _Budget()
    try:
        return _read(table, where, budget)
    except RecursionError as error:
        raise refused("GQL_COST", "a filter is nested too deep") from error


def read_text(text: str) -> str:
    """Return text that the database can hold.

    Raises:
        RequestRefused: BAD_TEXT.
    """
    if "\0" in text or not _is_unicode(text):
        raise refused("BAD_TEXT", "text holds a character that no row can have")
    return text


class _Budget:
    """What is left of the limits."""

    def __init__(self) -> None:
        self._tests = self._values = 0

    def take(self, values: int) -> None:
        self._tests += 1
        self._values += values
        if self._tests > MOST_TESTS:
            raise refused("GQL_COST", f"a filter has at most {MOST_TESTS} tests")
        if self._values > MOST_VALUES:
            raise refused("GQL_COST", f"the lists of a filter have at most {MOST_VALUES} values")


def _read(table: Table, where: Mapping[str, Any], budget: _Budget) -> Where:
    tests: list[Where] = []
    for name, value in where.items():
        if name in {"AND", "OR"}:
            inner = tuple(_read(table, each, budget) for each in value or () if each is not None)
            if inner:
                tests.append(Every(inner) if name == "AND" else Either(inner))
            continue
        column, op = TESTS[table.name][name]
        budget.take(len(value) if isinstance(value, list) else 0)
        tests.append(Test(column, op, tuple(map(_value, value)) if isinstance(value, list) else _value(value)))
    return tests[0] if len(tests) == 1 else Every(tuple(tests))


def _value(value: Value) -> Value:
    return read_text(value) if isinstance(value, str) else value


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
