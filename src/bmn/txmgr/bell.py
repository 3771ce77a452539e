"""Tells the lanes of this process that there is work; those of other processes find it by looking."""

import asyncio


class Bell:
    """Rung after a transaction that recorded or retired an intent."""

    def __init__(self) -> None:
        self._ears: list[asyncio.Event] = []

    def ring(self) -> None:
        """Wake every lane."""
        for ear in self._ears:
            ear.set()

    def listen(self) -> asyncio.Event:
        """Return an event that each ring sets; its owner clears it."""
        ear = asyncio.Event()
        self._ears.append(ear)
        return ear

    def leave(self, ear: asyncio.Event) -> None:
        """Forget an event of `listen`."""
        self._ears.remove(ear)
