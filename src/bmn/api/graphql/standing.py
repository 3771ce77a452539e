"""Where each chain stands, for every answer; read before the rows, so they are at least as new as it says."""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from bmn.api.graphql.kept import Joined
from bmn.core.chain import ChainSpec
from bmn.pg.pool import Pool, connection
from bmn.seams import Clock
from bmn.store.journal import StoredHead, load_head
from bmn.store.lists import load_mark


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where all chains stand."""

    mark: str
    """Another one after each block that is written or taken back."""
    chains: msgspec.Raw
    """A JSON object: a `ChainStanding` by the name of each chain."""


class Standings:
    """Looks where the chains stand; any number of readers at once cost one look."""

    def __init__(self, pool: Pool, specs: Iterable[ChainSpec], clock: Clock) -> None:
        self._pool = pool
        self._specs = tuple(specs)
        self._clock = clock
        self._joined = Joined(self._look)
        self._mark: str | None = None
        self._heads: dict[ChainSpec, StoredHead | None] = {}

    async def read(self) -> Standing:
        """Return where they stand now.

        Raises:
            TransientError: the database is away.
        """
        return await self._joined.get()

    async def _look(self) -> Standing:
        async with connection(self._pool) as conn:
            mark = await load_mark(conn)
            if mark != self._mark:
                self._heads = {spec: await load_head(conn, spec.id) for spec in self._specs}
                self._mark = mark
        now = self._clock.now()
        chains = {spec.name: _standing(spec, head, now) for spec, head in self._heads.items()}
        return Standing(mark=mark, chains=msgspec.Raw(msgspec.json.encode(chains)))


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
