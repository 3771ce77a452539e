from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlsplit

import pytest
from tests.support.index_rig import IndexRig, open_index_rig
from tests.support.postgres import fresh_database, in_thread
from tests.support.worlds import world

from bmn.devnet.world import Devnet
from bmn.pg.migrate import ENGINE, upgrade
from bmn.store import MIGRATIONS

__all__ = ["world"]


@pytest.fixture(scope="session")
def index_template(postgres: str) -> Iterator[str]:
    """Name of a database with all tables, to copy."""
    with fresh_database(postgres) as dsn:
        in_thread(upgrade(dsn, [ENGINE, MIGRATIONS]))
        yield urlsplit(dsn).path[1:]


@pytest.fixture
def index_database(postgres: str, index_template: str) -> Iterator[str]:
    """Address of a new database with all tables."""
    with fresh_database(postgres, template=index_template) as dsn:
        yield dsn


@pytest.fixture
async def rig(world: Devnet, index_database: str) -> AsyncIterator[IndexRig]:
    """A fresh journal of the world's first chain, from the next block on."""
    async with open_index_rig(world.chains[0], index_database) as rig:
        yield rig
