"""Which swaps news from a chain concerns: the indexer's questions to the tables of orders and swaps."""

from collections.abc import Collection
from dataclasses import dataclass

from bmn.core.units import BlockNumber, ChainId, Hashlock, UnixTime
from bmn.pg.pool import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Concerned:
    """A swap to look at again."""

    hashlock: Hashlock
    has_secret: bool
    """The news tells its secret."""
    has_src: bool
    """Its source escrow is in the news."""
    has_dst: bool
    """Its destination escrow is in the news."""


_CONCERNED = """
WITH news AS (
    SELECT hashlock, order_hash, maker, secret IS NOT NULL AS has_secret, kind = 'src_escrow_created' AS has_src,
           kind = 'dst_escrow_created' AS has_dst FROM journal
    WHERE chain_id = $1 AND block_number > $2 AND block_number <= $3 AND orphaned_at IS NULL),
concerned AS (
    SELECT o.hashlock, n.has_secret, n.has_src, n.has_dst FROM news n JOIN orders o ON o.hashlock = n.hashlock
    UNION ALL
    SELECT o.hashlock, false, false, false FROM news n JOIN orders o ON o.order_hash = n.order_hash
    UNION ALL
    SELECT o.hashlock, false, false, false FROM news n JOIN orders o ON o.maker = n.maker AND o.src_chain = $1)
SELECT hashlock, bool_or(has_secret) AS has_secret, bool_or(has_src) AS has_src, bool_or(has_dst) AS has_dst
FROM concerned GROUP BY hashlock
"""

# In one order for everybody, so that two chains waking the same swaps cannot block each other for ever.
_TAKE_DUE = """
WITH due AS (
    SELECT hashlock FROM swaps
    WHERE NOT terminal AND ((src_chain = $1 AND wake_src <= $2) OR (dst_chain = $1 AND wake_dst <= $2))
    ORDER BY hashlock FOR UPDATE)
UPDATE swaps s SET wake_src = CASE WHEN s.src_chain = $1 AND s.wake_src <= $2 THEN NULL ELSE s.wake_src END,
                   wake_dst = CASE WHEN s.dst_chain = $1 AND s.wake_dst <= $2 THEN NULL ELSE s.wake_dst END
FROM due WHERE s.hashlock = due.hashlock RETURNING s.hashlock
"""


async def load_known_hashlocks(conn: Connection, hashlocks: Collection[Hashlock]) -> frozenset[Hashlock]:
    """Return those of `hashlocks` that an accepted order has."""
    rows = await conn.fetch("SELECT hashlock FROM orders WHERE hashlock = ANY($1::bytea[])", list(hashlocks))
    return frozenset(Hashlock(row["hashlock"]) for row in rows)


async def load_concerned(
    conn: Connection, chain_id: ChainId, *, above: BlockNumber, up_to: BlockNumber
) -> list[Concerned]:
    """Return the swaps that events of the canonical blocks in (`above`, `up_to`] are about."""
    rows = await conn.fetch(_CONCERNED, chain_id, above, up_to)
    return [
        Concerned(
            hashlock=Hashlock(row["hashlock"]),
            has_secret=row["has_secret"],
            has_src=row["has_src"],
            has_dst=row["has_dst"],
        )
        for row in rows
    ]


async def take_due_swaps(conn: Connection, chain_id: ChainId, now: UnixTime) -> list[Hashlock]:
    """Return the open swaps that wanted to be looked at by chain time `now`, and clear that wish."""
    return [Hashlock(row["hashlock"]) for row in await conn.fetch(_TAKE_DUE, chain_id, now)]
