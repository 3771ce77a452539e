from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.stack import Stack, open_stack


@pytest.fixture
async def stack(tmp_path: Path, postgres: str) -> AsyncIterator[Stack]:
    """A world of its own, with the services running."""
    async with open_stack(tmp_path, postgres) as world:
        await world.start()
        yield world
