from collections.abc import AsyncIterator

import pytest
from tests.support.lane_databases import lane_database, lane_template
from tests.support.lane_rig import CHAIN, LaneRig, open_rig

from bmn.devnet.anvil import open_anvil

__all__ = ["lane_database", "lane_template", "rig"]


@pytest.fixture
async def rig(lane_database: str) -> AsyncIterator[LaneRig]:
    """A fresh chain that mines only on demand, and a fresh database."""
    async with open_anvil(CHAIN) as anvil, open_rig(anvil, lane_database) as rig:
        await anvil.set_automine(on=False)
        yield rig
