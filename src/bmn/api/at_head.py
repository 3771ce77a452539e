"""Whether the tables reach the heads of the chains, so that an answer misses nothing."""

from collections.abc import Sequence

from bmn.core.chain import ChainSpec
from bmn.core.errors import TransientError
from bmn.pg.pool import Pool, connection
from bmn.seams import Clock
from bmn.store.journal import load_head, load_now


class AtHead:
    """Looks whether every chain was read to its head, lately and since this process began.

    What was read before it began proves nothing: blocks may have come while nobody read.
    """

    def __init__(self, pool: Pool, specs: Sequence[ChainSpec], clock: Clock, *, since: float) -> None:
        """`since` is when the process began, by the database's clock."""
        self._pool = pool
        self._specs = specs
        self._clock = clock
        self._since = since

    async def find_missing(self) -> list[str]:
        """Return what is missing, a line for each chain that is behind; nothing when all are at their heads."""
        try:
            async with connection(self._pool) as conn:
                heads = [(spec, await load_head(conn, spec.id)) for spec in self._specs]
        except TransientError as error:
            return [f"database: {error.code}"]
        missing = []
        for spec, head in heads:
            if head is None:
                missing.append(f"{spec.name}: no block was read yet")
            elif head.halted is not None:
                missing.append(f"{spec.name}: {head.halted}")
            elif head.seen_at < self._since:
                missing.append(f"{spec.name}: at block {head.number}, not at the head since the start")
            elif (age := self._clock.now() - head.seen_at) > spec.longest_lag:
                missing.append(f"{spec.name}: no head for {age:.1f} s after block {head.number}")
        return missing


async def open_at_head(pool: Pool, specs: Sequence[ChainSpec], clock: Clock) -> AtHead:
    """Return what looks at the heads from now on.

    Raises:
        TransientError: the database is away.
    """
    async with connection(pool) as conn:
        return AtHead(pool, specs, clock, since=await load_now(conn))
