"""The tables for readers, a function of the journal alone: whatever way it came about, the rows are the same.

They are changed in the transaction that changes the journal. `atomic_swap` joins what several chains say of a hashlock:
its row is made anew from their escrows, under a lock for the hashlock, so that the last of two chains sees the other.
"""

from collections.abc import Collection
from typing import Final

from bmn.core.errors import TransientError
from bmn.core.units import BlockNumber, ChainId
from bmn.pg.pool import Connection
from bmn.store.journal import EventKind
from bmn.store.projected_events import ADD, BEGIN, CLEAR, COUNT, EMPTIED, REMOVE

RULES: Final = 1
"""Version of what this module makes of the journal. Rows by another version are built again."""
EVENTS_AT_ONCE: Final = 10_000
BEFORE_ALL: Final = BlockNumber(-1)
"""Where the rows of a chain end before its first block was read."""
_ENDS: Final = frozenset({EventKind.ESCROW_WITHDRAWAL, EventKind.ESCROW_CANCELLED})
_OF_SWAPS: Final = _ENDS | {EventKind.SRC_ESCROW_CREATED, EventKind.DST_ESCROW_CREATED}


class OutOfStep(TransientError):
    """The rows of a chain are not those of its journal up to the block before: `catch_up` first."""


async def add_rows(
    conn: Connection, chain_id: ChainId, *, above: BlockNumber, up_to: BlockNumber, kinds: Collection[EventKind]
) -> None:
    """Add what the journal says in blocks (`above`, `up_to`], where it has no other kinds of event than `kinds`.

    Raises:
        OutOfStep: the rows do not end at `above`.
    """
    if await conn.fetchval(COUNT, chain_id, above, up_to, RULES, 1) is None:
        raise OutOfStep("PROJECTIONS_OUT_OF_STEP", f"the rows of chain {chain_id} do not end at block {above}")
    for kind in ADD:
        if kind in kinds:
            await conn.execute(ADD[kind], chain_id, above, up_to)
    if EventKind.BMN_TRANSFER in kinds:
        await conn.execute(EMPTIED, chain_id)
    if not _OF_SWAPS.isdisjoint(kinds):
        touched = await _touched(conn, chain_id, above, up_to)
        if not _ENDS.isdisjoint(kinds):
            await _settle(conn, chain_id, touched)
        await _merge(conn, touched)


async def remove_rows(conn: Connection, chain_id: ChainId, *, above: BlockNumber, up_to: BlockNumber) -> None:
    """Take away what the journal still says in blocks (`above`, `up_to`]; call it before they are orphaned.

    Raises:
        OutOfStep: the rows do not end at `up_to`.
    """
    if await conn.fetchval(COUNT, chain_id, above, up_to, RULES, -1) is None:
        raise OutOfStep("PROJECTIONS_OUT_OF_STEP", f"the rows of chain {chain_id} do not end at block {up_to}")
    touched = await _touched(conn, chain_id, above, up_to)
    for statement in REMOVE:
        await conn.execute(statement, chain_id, above, up_to)
    await conn.execute(EMPTIED, chain_id)
    if touched:
        await _settle(conn, chain_id, touched)
        await _merge(conn, touched)


_POSITION = "SELECT rules, block_number FROM chain_statistics WHERE chain_id = $1"

_NEXT = """
SELECT max(block_number) AS number, count(*) AS count, array_agg(DISTINCT kind) AS kinds FROM (
    SELECT block_number, kind FROM journal WHERE chain_id = $1 AND block_number > $2 AND block_number <= $3
    AND orphaned_at IS NULL AND NOT is_foreign ORDER BY block_number LIMIT $4) few
"""


async def catch_up(conn: Connection, chain_id: ChainId, up_to: BlockNumber | None) -> bool:
    """Bring the rows nearer to the journal's last block (None: it has none); return whether they are there.

    Call it in a transaction of its own until it says so.
    """
    goal = BEFORE_ALL if up_to is None else up_to
    at = await conn.fetchrow(_POSITION, chain_id)
    if at is None or at["rules"] != RULES or at["block_number"] > goal:
        await _clear(conn, chain_id)
        return goal == BEFORE_ALL
    few = await conn.fetchrow(_NEXT, chain_id, at["block_number"], goal, EVENTS_AT_ONCE)
    assert few is not None
    last = few["number"] if few["count"] == EVENTS_AT_ONCE else goal
    if last > at["block_number"]:
        # The last block may have more kinds than were looked at.
        await add_rows(conn, chain_id, above=at["block_number"], up_to=last, kinds=frozenset(EventKind))
    return bool(last == goal)


async def _clear(conn: Connection, chain_id: ChainId) -> None:
    touched = [row["hashlock"] for row in await conn.fetch(_ALL_TOUCHED, chain_id)]
    for statement in CLEAR:
        await conn.execute(statement, chain_id)
    await conn.execute(BEGIN, chain_id, RULES)
    await _merge(conn, touched)


_ALL_TOUCHED = """
SELECT hashlock FROM src_escrow WHERE chain_id = $1 UNION SELECT hashlock FROM dst_escrow WHERE chain_id = $1
"""

_TOUCHED = f"""
SELECT DISTINCT '0x' || encode(hashlock, 'hex') AS hashlock FROM journal
WHERE chain_id = $1 AND block_number > $2 AND block_number <= $3 AND orphaned_at IS NULL AND NOT is_foreign
AND kind IN ({", ".join(f"'{kind}'" for kind in sorted(_OF_SWAPS))})
"""


async def _touched(conn: Connection, chain_id: ChainId, above: BlockNumber, up_to: BlockNumber) -> list[str]:
    return [row["hashlock"] for row in await conn.fetch(_TOUCHED, chain_id, above, up_to)]


_STATUS = """
UPDATE {table} e SET status = n.status FROM (
    SELECT id, CASE
        WHEN EXISTS (SELECT FROM escrow_withdrawal w WHERE w.hashlock = x.hashlock AND w.chain_id = x.chain_id
                     AND w.escrow_address = x.escrow_address) THEN 'withdrawn'
        WHEN EXISTS (SELECT FROM escrow_cancellation c WHERE c.hashlock = x.hashlock AND c.chain_id = x.chain_id
                     AND c.escrow_address = x.escrow_address) THEN 'cancelled'
        ELSE 'created' END AS status
    FROM {table} x WHERE x.hashlock = ANY($2::text[]) AND x.chain_id = $1) n
WHERE e.id = n.id AND e.status <> n.status
"""
_STATUSES = tuple(_STATUS.format(table=table) for table in ("src_escrow", "dst_escrow"))


async def _settle(conn: Connection, chain_id: ChainId, touched: list[str]) -> None:
    """Say of each escrow how it ended."""
    for statement in _STATUSES:
        await conn.execute(statement, chain_id, touched)


# In one order for everybody, and before the next statement takes its snapshot of what other chains have committed.
_LOCK = """
SELECT pg_advisory_xact_lock(7043, bucket) FROM (
    SELECT DISTINCT ('x' || substr(hashlock, 3, 2))::bit(8)::integer AS bucket FROM unnest($1::text[]) hashlock
    ORDER BY bucket) buckets
"""

# Anybody can make an escrow that names another's hashlock: the first counts, on the destination the one that the
# source escrow names by chain and taker.
_MERGE = """
WITH src AS (
    SELECT DISTINCT ON (hashlock) * FROM src_escrow WHERE hashlock = ANY($1::text[])
    ORDER BY hashlock, created_at, chain_id, block_number, log_index
), dst AS (
    SELECT DISTINCT ON (d.hashlock) d.* FROM dst_escrow d LEFT JOIN src ON src.hashlock = d.hashlock
    WHERE d.hashlock = ANY($1::text[])
    ORDER BY d.hashlock, d.chain_id = src.dst_chain_id DESC, d.taker = src.taker DESC,
             d.created_at, d.chain_id, d.block_number, d.log_index
), ends AS (
    SELECT e.hashlock, max(w.withdrawn_at) AS completed_at, min(w.secret) AS secret, max(c.cancelled_at) AS cancelled_at
    FROM (SELECT hashlock, chain_id, escrow_address FROM src UNION ALL
          SELECT hashlock, chain_id, escrow_address FROM dst) e
    LEFT JOIN escrow_withdrawal w ON (w.hashlock, w.chain_id, w.escrow_address)
                                   = (e.hashlock, e.chain_id, e.escrow_address)
    LEFT JOIN escrow_cancellation c ON (c.hashlock, c.chain_id, c.escrow_address)
                                     = (e.hashlock, e.chain_id, e.escrow_address)
    GROUP BY e.hashlock
)
INSERT INTO atomic_swap (id, order_hash, src_chain_id, dst_chain_id, src_escrow_address, dst_escrow_address, maker,
    taker, src_amount, dst_amount, status, src_created_at, dst_created_at, completed_at, cancelled_at, secret)
SELECT ends.hashlock, src.order_hash, src.chain_id,
    coalesce(dst.chain_id, CASE WHEN src.dst_chain_id < 9223372036854775808 THEN src.dst_chain_id::bigint END),
    src.escrow_address, dst.escrow_address, src.maker, src.taker, src.src_amount, src.dst_amount,
    CASE WHEN ends.completed_at IS NOT NULL THEN 'completed' WHEN ends.cancelled_at IS NOT NULL THEN 'cancelled'
         WHEN dst.id IS NOT NULL THEN 'dst_created' ELSE 'src_created' END,
    src.created_at, dst.created_at, ends.completed_at, ends.cancelled_at, ends.secret
FROM ends LEFT JOIN src USING (hashlock) LEFT JOIN dst USING (hashlock)
ON CONFLICT (id) DO UPDATE SET (order_hash, src_chain_id, dst_chain_id, src_escrow_address, dst_escrow_address, maker,
    taker, src_amount, dst_amount, status, src_created_at, dst_created_at, completed_at, cancelled_at, secret) =
    ROW (EXCLUDED.order_hash, EXCLUDED.src_chain_id, EXCLUDED.dst_chain_id, EXCLUDED.src_escrow_address,
    EXCLUDED.dst_escrow_address, EXCLUDED.maker, EXCLUDED.taker, EXCLUDED.src_amount, EXCLUDED.dst_amount,
    EXCLUDED.status, EXCLUDED.src_created_at, EXCLUDED.dst_created_at, EXCLUDED.completed_at, EXCLUDED.cancelled_at,
    EXCLUDED.secret)
RETURNING id
"""

_FORGET = "DELETE FROM atomic_swap WHERE id = ANY($1::text[])"


async def _merge(conn: Connection, touched: list[str]) -> None:
    """Say of each swap what its escrows say."""
    await conn.execute(_LOCK, touched)
    there = {row["id"] for row in await conn.fetch(_MERGE, touched)}
    gone = [hashlock for hashlock in touched if hashlock not in there]
    if gone:
        await conn.execute(_FORGET, gone)
