"""How far the journal is, for people and for readiness."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bmn.core.chain import ChainSpec
from bmn.core.units import BlockNumber, UnixTime
from bmn.pg.pool import Connection
from bmn.store.journal import load_head, load_strangers


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainStatus:
    """One chain of the journal."""

    name: str
    """Of the chain."""
    number: BlockNumber | None
    """The last block read; None before the first. The other fields are None with it."""
    time: UnixTime | None
    """Chain time of that block."""
    final_number: BlockNumber | None
    """Blocks up to here are final; negative on a chain younger than its depth."""
    behind_seconds: float | None
    """Host time minus the time of that block; about one block time when nothing is missing."""
    halted: str | None
    """Why the chain is not followed any more."""
    strangers: Mapping[str, int]
    """Events like ours of other contracts, by kind."""


async def indexer_status(conn: Connection, specs: Iterable[ChainSpec], *, now: float) -> list[ChainStatus]:
    """Return where each chain stands; `now` is host time in seconds since 1970."""
    statuses = []
    for spec in specs:
        head = await load_head(conn, spec.id)
        strangers = await load_strangers(conn, spec.id)
        statuses.append(
            ChainStatus(
                name=spec.name,
                number=None if head is None else head.number,
                time=None if head is None else head.time,
                final_number=None if head is None else head.final_number,
                behind_seconds=None if head is None else now - head.time,
                halted=None if head is None else head.halted,
                strangers=strangers,
            )
        )
    return statuses
