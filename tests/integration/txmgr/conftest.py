from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlsplit

import pytest
from tests.support.lane_rig import CHAIN, LOCATIONS, LaneRig, open_rig
from tests.support.postgres import fresh_database, in_thread

from bmn.devnet.anvil import open_anvil
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


@pytest.fixture
async def rig(lane_database: str) -> AsyncIterator[LaneRig]:
    """A fresh chain that mines only on demand, and a fresh database."""
    async with open_anvil(CHAIN) as anvil, open_rig(anvil, lane_database) as rig:
        await anvil.set_automine(on=False)
        yield rig
