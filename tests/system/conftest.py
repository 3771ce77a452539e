from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.debian import postgres_15

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.system)


@pytest.fixture(scope="session")
def oldest_postgres() -> Iterator[str]:
    """Address of a PostgreSQL 15."""
    with postgres_15() as dsn:
        yield dsn
