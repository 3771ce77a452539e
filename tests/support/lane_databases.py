"""Fixtures: databases with all tables. Import them in a conftest."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from tests.support.lane_rig import LOCATIONS
from tests.support.postgres import fresh_database, in_thread

from bmn.pg.migrate import upgrade


@pytest.fixture(scope="session")
def lane_template(postgres: str) -> Iterator[str]:
    """Name of a database with all tables, to copy."""
    with fresh_database(postgres) as dsn:
        in_thread(upgrade(dsn, LOCATIONS))
        yield urlsplit(dsn).path[1:]


@pytest.fixture
def lane_database(postgres: str, lane_template: str) -> Iterator[str]:
    """Address of a new database with all tables."""
    with fresh_database(postgres, template=lane_template) as dsn:
        yield dsn
