"""Starting concurrent work, so that a simulation can decide who runs next."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol


class Spawner(Protocol):
    """Starts a coroutine beside the caller; its failure fails the group."""

    def spawn(self, work: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
        """Start `work` under `name`."""
        ...


class SystemSpawner:
    """Starts tasks in one asyncio task group."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self._group = group

    def spawn(self, work: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
        """Start `work` under `name`."""
        return self._group.create_task(work, name=name)
