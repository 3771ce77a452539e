from collections.abc import AsyncIterator

import pytest
from tests.support.resolver_rig import ResolverRig, open_resolver_rig
from tests.support.store_databases import store, store_template
from tests.support.worlds import world

from bmn.devnet.world import Devnet
from bmn.pg.pool import Pool

__all__ = ["store", "store_template", "world"]


@pytest.fixture
async def rig(world: Devnet, store: Pool) -> AsyncIterator[ResolverRig]:
    """Both chains of the world, and fresh journals of them."""
    async with open_resolver_rig(world, store) as rig:
        yield rig
