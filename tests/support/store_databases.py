"""A database with all our tables, one for each test. Import both fixtures in a conftest."""

from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlsplit

import pytest
from tests.support.postgres import fresh_database, in_thread, pooled

from bmn.pg.migrate import ENGINE, upgrade
from bmn.pg.pool import Pool, open_pool
from bmn.store import MIGRATIONS


@pytest.fixture(scope="session")
def store_template(postgres: str) -> Iterator[str]:
    """Name of a database with all tables, to copy."""
    with fresh_database(postgres) as dsn:
        in_thread(upgrade(dsn, [ENGINE, MIGRATIONS]))
        yield urlsplit(dsn).path[1:]


@pytest.fixture
async def store(postgres: str, store_template: str) -> AsyncIterator[Pool]:
    """A pool on a new database with all tables."""
    with fresh_database(postgres, template=store_template) as dsn:
        async with open_pool(pooled(dsn), size=8) as pool:
            yield pool
