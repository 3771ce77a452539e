"""Everything that is stored sealed, over all tables: what there is, under which keys, and sealing it again.

`secrets`, `intents` and `txs` own their tables; this module only knows where their sealed bytes are.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg

from bmn.core.errors import PermanentError
from bmn.core.units import Hashlock, TxHash
from bmn.pg.pool import Connection
from bmn.store.intents import calldata_context
from bmn.store.sealing import KeyId, Sealer, header_of
from bmn.store.secrets import secret_context
from bmn.store.txs import raw_context


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedCount:
    """How many values of one kind are sealed under one key."""

    kind: str
    """secret, calldata or transaction."""
    key_id: KeyId | None
    """None: sealed by a version that did not write it down."""
    count: int
    oldest: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    kind: str
    rows: str
    """`id`, `value` and `stored_at` of all that is still sealed, and what the context is made of."""
    save: str
    """$1 id, $2 new, $3 old value."""
    context: Callable[[asyncpg.Record], bytes]


_COLUMNS: Final = (
    _Column(
        kind="secret",
        rows="SELECT hashlock AS id, sealed AS value, received_at AS stored_at FROM secrets",
        save="UPDATE secrets SET sealed = $2 WHERE hashlock = $1 AND sealed = $3",
        context=lambda row: secret_context(Hashlock(row["id"])),
    ),
    _Column(
        kind="calldata",
        rows="""
        SELECT id, calldata AS value, created_at AS stored_at, hashlock, action
        FROM intents WHERE bears_secret AND calldata <> ''
        """,
        save="UPDATE intents SET calldata = $2 WHERE id = $1 AND calldata = $3",
        context=lambda row: calldata_context(Hashlock(row["hashlock"]), row["action"]),
    ),
    _Column(
        kind="transaction",
        rows="""
        SELECT t.hash AS id, t.raw AS value, t.created_at AS stored_at
        FROM txs t JOIN intents i ON i.id = t.intent_id
        WHERE i.bears_secret AND i.calldata <> '' AND NOT t.is_cancel
        """,
        save="UPDATE txs SET raw = $2 WHERE hash = $1 AND raw = $3",
        context=lambda row: raw_context(TxHash(row["id"])),
    ),
)

# A header is the version and, from version 2 on, the key's id.
_OTHERS = """
SELECT * FROM ({rows}) sealed
WHERE substring(value FROM 1 FOR 9) <> $1 AND NOT id = ANY ($2) LIMIT $3
"""

_COUNTS = r"""
SELECT CASE WHEN substring(value FROM 1 FOR 1) <> '\x01'
            THEN substring(value FROM 2 FOR 8) END AS key_id,
       count(*) AS count, min(stored_at) AS oldest
FROM ({rows}) sealed GROUP BY 1 ORDER BY 1
"""

_NAMELESS = r"SELECT * FROM ({rows}) sealed WHERE substring(value FROM 1 FOR 1) = '\x01' LIMIT 1"


async def count_sealed(conn: Connection) -> list[SealedCount]:
    """Return what is sealed, by kind and key."""
    return [
        SealedCount(kind=column.kind, key_id=row["key_id"], count=row["count"], oldest=row["oldest"])
        for column in _COLUMNS
        for row in await conn.fetch(_COUNTS.format(rows=column.rows))
    ]


async def check_nameless(conn: Connection, sealer: Sealer) -> None:
    """Open one value of each kind that does not name its key.

    Raises:
        PermanentError: `UNSEAL_FAILED`: `sealer` does not hold that key.
    """
    for column in _COLUMNS:
        for row in await conn.fetch(_NAMELESS.format(rows=column.rows)):
            sealer.open(row["value"], column.context(row))


async def reseal(conn: Connection, sealer: Sealer, key_id: KeyId, *, batch: int) -> AsyncIterator[bool]:
    """Seal under `key_id` what is sealed under any other key; yield for each value whether it could be opened.

    Each value is its own transaction, and is only replaced if nobody changed or wiped it meanwhile.

    Raises:
        TransientError: `SECRETS_KEY_UNKNOWN`.
    """
    for column in _COLUMNS:
        unreadable: list[object] = []
        query = _OTHERS.format(rows=column.rows)
        while rows := await conn.fetch(query, header_of(key_id), unreadable, batch):
            for row in rows:
                context = column.context(row)
                try:
                    again = sealer.seal(sealer.open(row["value"], context), context, key_id)
                except PermanentError:
                    unreadable.append(row["id"])
                    yield False
                    continue
                await conn.execute(column.save, row["id"], again, row["value"])
                yield True
