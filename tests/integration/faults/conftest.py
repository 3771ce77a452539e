from collections.abc import AsyncIterator

import pytest
from tests.support.chains import anvil
from tests.support.fault_proxy import FaultProxy, open_fault_proxy

from bmn.devnet.anvil import Anvil

__all__ = ["anvil", "proxy"]


@pytest.fixture
async def proxy(anvil: Anvil) -> AsyncIterator[FaultProxy]:
    """A proxy without rules over the module's local chain."""
    async with open_fault_proxy(anvil) as proxy:
        yield proxy
