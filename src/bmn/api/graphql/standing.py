"""Where each chain stands, for every answer; read before the rows, so they are at least as new as it says."""

import asyncio
from collections.abc import Iterable
from typing import Final

import msgspec

from bmn.core.chain import ChainSpec
from bmn.pg.pool import Pool, connection
from bmn.seams import Clock
from bmn.store.journal import StoredHead, load_head

_FRESH_SECONDS: Final = 0.1


class BlockPlace(msgspec.Struct, frozen=True):
    """A block."""

    number: int
    timestamp: int


class ChainStanding(msgspec.Struct, frozen=True, rename="camel"):
    """One chain; what is null was not read yet."""

    id: int
    block: BlockPlace | None
    """The last one whose events are listed."""
    finalized: BlockPlace | None
    lag_seconds: float | None
    """Host time minus the time of that block: about one block time when nothing is missing."""
    halted: str | None
    """Why the chain is not followed any more."""


class Standings:
    """Where the chains stood at most a tenth of a second ago; any number of readers cost one look."""

    def __init__(self, pool: Pool, specs: Iterable[ChainSpec], clock: Clock) -> None:
        self._pool = pool
        self._specs = tuple(specs)
        self._clock = clock
        self._looking = asyncio.Lock()
        self._until = float("-inf")
        self._found = msgspec.Raw(b"{}")

    async def read(self) -> msgspec.Raw:
        """Return a JSON object: a `ChainStanding` by the name of each chain.

        Raises:
            TransientError: the database is away.
        """
        if self._clock.monotonic() >= self._until:
            async with self._looking:
                now = self._clock.monotonic()
                if now >= self._until:
                    self._found = msgspec.Raw(msgspec.json.encode(await self._look()))
                    self._until = now + _FRESH_SECONDS
        return self._found

    async def _look(self) -> dict[str, ChainStanding]:
        async with connection(self._pool) as conn:
            heads = {spec: await load_head(conn, spec.id) for spec in self._specs}
        now = self._clock.now()
        return {spec.name: _standing(spec, head, now) for spec, head in heads.items()}


def _standing(spec: ChainSpec, head: StoredHead | None, now: float) -> ChainStanding:
    if head is None:
        return ChainStanding(id=spec.id, block=None, finalized=None, lag_seconds=None, halted=None)
    return ChainStanding(
        id=spec.id,
        block=BlockPlace(head.number, head.time),
        finalized=BlockPlace(head.final_number, head.final_time),
        lag_seconds=round(now - head.time, 3),
        halted=head.halted,
    )
