"""Answers that are still true, since no block came or went; and one look for all who ask at once."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from bmn.seams import Clock

MOST_BYTES: Final = 32 * 1024 * 1024
"""Of all answers that are kept."""
MOST_ANSWERS: Final = 500
LARGEST: Final = 1024 * 1024
"""Bytes of an answer that is kept."""
KEPT_SECONDS: Final = 1.0
"""An answer is not kept longer, whatever the chains do."""

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Joined(Generic[V]):
    """Makes one call at a time; all who come during it share the next one, so nothing is older than its asker."""

    def __init__(self, call: Callable[[], Awaitable[V]]) -> None:
        self._call = call
        self._calling = asyncio.Lock()
        self._begun = 0
        self._ended = 0
        self._value: V | None = None

    async def get(self) -> V:
        """Return what a call returned that began after this one; raises what the call raises."""
        wanted = self._begun + 1
        async with self._calling:
            if self._value is None or self._ended < wanted:
                self._begun += 1
                self._value = await self._call()
                self._ended = self._begun
            return self._value


@dataclass(slots=True)
class _Place:
    """Room for the answer to one question."""

    making: asyncio.Lock = field(default_factory=asyncio.Lock)
    mark: str = ""
    body: bytes = b""
    until: float = float("-inf")


class KeptAnswers(Generic[K]):
    """Answers by question, each with the mark of what was known when it was made. The one asked for last goes last."""

    def __init__(self, clock: Clock, *, most_bytes: int = MOST_BYTES) -> None:
        self._clock = clock
        self._most = most_bytes
        self._places: OrderedDict[K, _Place] = OrderedDict()
        self._bytes = 0

    async def get(self, key: K, mark: str, make: Callable[[], Awaitable[bytes]]) -> tuple[bytes, bool]:
        """Return the answer made at this mark, and whether it was kept; of several who ask, one makes it.

        Raises whatever `make` raises; then nothing is kept, and the next who waits makes it.
        """
        place = self._places.setdefault(key, _Place())
        self._places.move_to_end(key)
        async with place.making:
            if place.mark == mark and self._clock.monotonic() < place.until:
                return place.body, True
            try:
                body = await make()
            except BaseException:
                self._put(key, place, "", b"")
                raise
            self._put(key, place, mark, body if len(body) <= LARGEST else b"")
            return body, False

    def _put(self, key: K, place: _Place, mark: str, body: bytes) -> None:
        if self._places.get(key) is not place:  # it had to go meanwhile
            return
        self._bytes += len(body) - len(place.body)
        place.mark, place.body, place.until = mark, body, self._clock.monotonic() + KEPT_SECONDS
        if not body:
            del self._places[key]
        while self._bytes > self._most or len(self._places) > MOST_ANSWERS:
            _, oldest = self._places.popitem(last=False)
            self._bytes -= len(oldest.body)
