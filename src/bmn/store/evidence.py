"""What was checked, and at which blocks, before a lock was wanted (invariant I2)."""

from collections.abc import Mapping

import msgspec

from bmn.core.units import Hashlock
from bmn.pg.pool import Connection


async def save_evidence(conn: Connection, hashlock: Hashlock, body: Mapping[str, str | int]) -> None:
    """Append what was seen."""
    await conn.execute(
        "INSERT INTO evidence (hashlock, body) VALUES ($1, $2::jsonb)", hashlock, msgspec.json.encode(body).decode()
    )


async def load_evidence(conn: Connection, hashlock: Hashlock) -> list[dict[str, str | int]]:
    """Return what was seen, oldest first."""
    rows = await conn.fetch("SELECT body FROM evidence WHERE hashlock = $1 ORDER BY at", hashlock)
    return [msgspec.json.decode(row["body"], type=dict[str, str | int]) for row in rows]
