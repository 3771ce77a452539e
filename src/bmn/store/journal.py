"""What the chains said: heads, the window of canonical blocks, events and escrows. Orphaned rows stay, out of sight.

An event's own block time and block hash say where it stands; it is final when its block is at most `final_number`.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import asyncpg

from bmn.core.immutables import (
    DstComplement,
    Immutables,
    decode_complement,
    decode_immutables,
    encode_complement,
    encode_immutables,
)
from bmn.core.units import Address, BlockHash, BlockNumber, ChainId, Hashlock, OrderHash, Secret, TxHash, UnixTime
from bmn.core.windows import Side
from bmn.pg.pool import Connection


class EventKind(StrEnum):
    """What an event says."""

    SRC_ESCROW_CREATED = "src_escrow_created"
    DST_ESCROW_CREATED = "dst_escrow_created"
    DST_LOCKED = "dst_locked"
    ESCROW_WITHDRAWAL = "escrow_withdrawal"
    ESCROW_CANCELLED = "escrow_cancelled"
    FUNDS_RESCUED = "funds_rescued"
    ORDER_FILLED = "order_filled"
    ORDER_CANCELLED = "order_cancelled"
    BIT_INVALIDATED = "bit_invalidated"
    BMN_TRANSFER = "bmn_transfer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a log is."""

    block_number: BlockNumber
    block_hash: BlockHash
    block_time: UnixTime
    tx_hash: TxHash
    log_index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """An event to store."""

    place: Place
    kind: EventKind
    emitter: Address
    is_foreign: bool
    """Not by a contract of ours, though it names one of our hashlocks: evidence, never a fact."""
    hashlock: Hashlock | None = None
    order_hash: OrderHash | None = None
    escrow: Address | None = None
    maker: Address | None = None
    """Whose nonce was spent."""
    secret: Secret | None = None
    """Its hash is `hashlock`."""
    body: Mapping[str, str] = field(default_factory=dict)
    """The other fields: 0x-hex or decimal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEscrow:
    """An escrow to store: made by the configured factory (src) or by our Resolver (dst)."""

    place: Place
    side: Side
    address: Address
    immutables: Immutables
    complement: DstComplement | None
    """Set on the source side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredHead:
    """How far a chain is in the journal."""

    number: BlockNumber
    hash: BlockHash
    time: UnixTime
    final_number: BlockNumber
    """Blocks up to here are final; negative on a chain younger than its depth."""
    final_time: UnixTime
    seen_at: float
    """When it was the newest block of the chain: seconds since 1970 by the database's clock. Old while catching up."""
    halted: str | None
    """Why the chain is not followed any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEscrow:
    """An escrow of a canonical block."""

    chain_id: ChainId
    address: Address
    side: Side
    immutables: Immutables
    complement: DstComplement | None
    block_number: BlockNumber
    block_time: UnixTime
    block_hash: BlockHash
    tx_hash: TxHash


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvent:
    """An event of a canonical block. A revealed secret is not among its fields: `load_public_secret`."""

    chain_id: ChainId
    kind: EventKind
    emitter: Address
    escrow: Address | None
    block_number: BlockNumber
    block_time: UnixTime
    block_hash: BlockHash
    tx_hash: TxHash
    log_index: int
    is_foreign: bool
    body: Mapping[str, str]


_HEAD = """
SELECT number, hash, time, final_number, final_time, halted, extract(epoch FROM seen_at)::float8 AS seen_at
FROM chain_heads WHERE chain_id = $1
"""

# By order hash too: anybody can sign and fill an order of his own that names our hashlock.
_ESCROWS = """
SELECT e.chain_id, e.address, e.side, e.immutables, e.complement, e.block_number, e.block_time, e.block_hash, e.tx_hash
FROM escrows e JOIN orders o ON o.hashlock = e.hashlock AND o.order_hash = e.order_hash
WHERE e.hashlock = $1 AND e.orphaned_at IS NULL ORDER BY e.block_time, e.chain_id, e.block_number, e.address
"""

_EVENTS = """
SELECT chain_id, kind, emitter, escrow, block_number, block_time, block_hash, tx_hash, log_index, is_foreign, body
FROM journal WHERE orphaned_at IS NULL
"""

_PLACED = " ORDER BY block_time, chain_id, block_number, log_index"

_PUBLIC_SECRET = "SELECT secret FROM journal WHERE hashlock = $1 AND secret IS NOT NULL LIMIT 1"  # noqa: S105 - a query


async def load_head(conn: Connection, chain_id: ChainId) -> StoredHead | None:
    """Return how far the chain is read, None before its first block."""
    row = await conn.fetchrow(_HEAD, chain_id)
    return None if row is None else _head(row)


async def load_escrows(conn: Connection, hashlock: Hashlock) -> list[StoredEscrow]:
    """Return the escrows of an accepted order, made by the configured factories or our Resolvers, oldest first."""
    return [_escrow(row) for row in await conn.fetch(_ESCROWS, hashlock)]


async def load_events(conn: Connection, hashlock: Hashlock) -> list[StoredEvent]:
    """Return what was said about a hashlock, foreign events too, oldest first."""
    return [_event(row) for row in await conn.fetch(f"{_EVENTS} AND hashlock = $1 {_PLACED}", hashlock)]


async def load_order_events(conn: Connection, order_hash: OrderHash) -> list[StoredEvent]:
    """Return what was said about an order, oldest first.

    ORDER_CANCELLED proves nothing: the order protocol lets anybody say it of any order (it spends the caller's own
    hash). An order for one fill is cancelled by its nonce: `load_spent_nonces`.
    """
    return [_event(row) for row in await conn.fetch(f"{_EVENTS} AND order_hash = $1 {_PLACED}", order_hash)]


async def load_spent_nonces(conn: Connection, chain_id: ChainId, maker: Address) -> list[StoredEvent]:
    """Return the maker's cancellations by nonce; `body` has `slot` and `mask`, all spent bits of that slot."""
    rows = await conn.fetch(f"{_EVENTS} AND chain_id = $1 AND maker = $2 {_PLACED}", chain_id, maker)
    return [_event(row) for row in rows]


async def load_public_secret(conn: Connection, hashlock: Hashlock) -> Secret | None:
    """Return the secret if any contract of any chain ever told it. What was public stays so, orphaned or not."""
    value = await conn.fetchval(_PUBLIC_SECRET, hashlock)
    return None if value is None else Secret(value)


async def load_strangers(conn: Connection, chain_id: ChainId) -> dict[str, int]:
    """Return, by kind, how many events like ours other contracts emitted."""
    rows = await conn.fetch("SELECT kind, count FROM strangers WHERE chain_id = $1 ORDER BY kind", chain_id)
    return {row["kind"]: row["count"] for row in rows}


# A destination is told by the factory, and one of ours by our Resolver too, which knows the order.
_KNOWN_ESCROWS = """
SELECT DISTINCT ON (escrow) escrow, hashlock, order_hash FROM journal
WHERE chain_id = $1 AND escrow = ANY($2::bytea[]) AND orphaned_at IS NULL AND NOT is_foreign
AND kind IN ('src_escrow_created', 'dst_escrow_created', 'dst_locked')
ORDER BY escrow, order_hash NULLS LAST, block_number, log_index
"""


async def load_known_escrows(
    conn: Connection, chain_id: ChainId, addresses: Collection[Address]
) -> dict[Address, tuple[Hashlock, OrderHash | None]]:
    """Return, for those of `addresses` that are escrows of our factory, what they belong to."""
    rows = await conn.fetch(_KNOWN_ESCROWS, chain_id, list(addresses))
    return {
        Address(row["escrow"]): (
            Hashlock(row["hashlock"]),
            None if row["order_hash"] is None else OrderHash(row["order_hash"]),
        )
        for row in rows
    }


async def load_block_hashes(conn: Connection, chain_id: ChainId, up_to: BlockNumber) -> dict[BlockNumber, BlockHash]:
    """Return the window of canonical blocks, the highest first."""
    rows = await conn.fetch(
        "SELECT number, hash FROM chain_blocks WHERE chain_id = $1 AND number <= $2 ORDER BY number DESC",
        chain_id,
        up_to,
    )
    return {BlockNumber(row["number"]): BlockHash(row["hash"]) for row in rows}


async def load_block_time(conn: Connection, chain_id: ChainId, number: BlockNumber) -> UnixTime | None:
    """Return the time of a block of the window."""
    time = await conn.fetchval("SELECT time FROM chain_blocks WHERE chain_id = $1 AND number = $2", chain_id, number)
    return None if time is None else UnixTime(time)


async def save_head(
    conn: Connection,
    chain_id: ChainId,
    *,
    number: BlockNumber,
    block_hash: BlockHash,
    time: UnixTime,
    final_number: BlockNumber,
    final_time: UnixTime,
    is_newest: bool,
) -> None:
    """Say how far the chain is read, and whether that is as far as it goes; it is not halted."""
    await conn.execute(
        """
        INSERT INTO chain_heads (chain_id, number, hash, time, final_number, final_time, seen_at)
        VALUES ($1, $2, $3, $4, $5, $6, CASE WHEN $7 THEN clock_timestamp() ELSE 'epoch' END)
        ON CONFLICT (chain_id) DO UPDATE
        SET number = $2, hash = $3, time = $4, final_number = $5, final_time = $6, halted = NULL,
            seen_at = CASE WHEN $7 THEN clock_timestamp() ELSE chain_heads.seen_at END
        """,
        chain_id,
        number,
        block_hash,
        time,
        final_number,
        final_time,
        is_newest,
    )


async def confirm_head(conn: Connection, chain_id: ChainId, block_hash: BlockHash) -> None:
    """Say that the stored head, if it is still that block, is the newest block of the chain now."""
    await conn.execute(
        "UPDATE chain_heads SET seen_at = clock_timestamp() WHERE chain_id = $1 AND hash = $2 AND halted IS NULL",
        chain_id,
        block_hash,
    )


async def load_now(conn: Connection) -> float:
    """Return the database's time: seconds since 1970, as in `StoredHead.seen_at`."""
    now: float = await conn.fetchval("SELECT extract(epoch FROM clock_timestamp())::float8")
    return now


async def save_halt(conn: Connection, chain_id: ChainId, why: str) -> None:
    """Say why the chain is not followed any more."""
    await conn.execute("UPDATE chain_heads SET halted = $2 WHERE chain_id = $1", chain_id, why)


async def save_block(
    conn: Connection,
    chain_id: ChainId,
    *,
    number: BlockNumber,
    block_hash: BlockHash,
    parent_hash: BlockHash,
    time: UnixTime,
    keep: int,
) -> None:
    """Add a canonical block to the window, and drop what is more than `keep` blocks below it."""
    await conn.execute(
        "INSERT INTO chain_blocks (chain_id, number, hash, parent_hash, time) VALUES ($1, $2, $3, $4, $5)",
        chain_id,
        number,
        block_hash,
        parent_hash,
        time,
    )
    await conn.execute("DELETE FROM chain_blocks WHERE chain_id = $1 AND number < $2", chain_id, number - keep)


_SAVE_EVENTS = """
INSERT INTO journal (chain_id, block_hash, log_index, block_number, block_time, tx_hash, emitter, kind,
                     hashlock, order_hash, escrow, maker, secret, body, is_foreign)
SELECT $1, e.* FROM unnest($2::bytea[], $3::integer[], $4::bigint[], $5::bigint[], $6::bytea[], $7::bytea[], $8::text[],
    $9::bytea[], $10::bytea[], $11::bytea[], $12::bytea[], $13::bytea[], $14::jsonb[], $15::boolean[]) e
ON CONFLICT (chain_id, block_hash, log_index) DO UPDATE SET orphaned_at = NULL
"""


async def save_events(conn: Connection, chain_id: ChainId, events: Sequence[NewEvent]) -> None:
    """Add events; one whose block came back is canonical again."""
    rows = [
        (
            event.place.block_hash,
            event.place.log_index,
            event.place.block_number,
            event.place.block_time,
            event.place.tx_hash,
            event.emitter,
            event.kind.value,
            event.hashlock,
            event.order_hash,
            event.escrow,
            event.maker,
            None if event.secret is None else event.secret.reveal(),  # public: a log told it
            json.dumps(dict(event.body)),
            event.is_foreign,
        )
        for event in events
    ]
    await conn.execute(_SAVE_EVENTS, chain_id, *zip(*rows, strict=True))


_SAVE_ESCROWS = """
INSERT INTO escrows (chain_id, address, block_hash, side, hashlock, order_hash, immutables, complement,
                     block_number, block_time, tx_hash)
SELECT $1, e.* FROM unnest($2::bytea[], $3::bytea[], $4::text[], $5::bytea[], $6::bytea[], $7::bytea[], $8::bytea[],
    $9::bigint[], $10::bigint[], $11::bytea[]) e
ON CONFLICT (chain_id, address, block_hash) DO UPDATE SET orphaned_at = NULL
"""


async def save_escrows(conn: Connection, chain_id: ChainId, escrows: Sequence[NewEscrow]) -> None:
    """Add escrows; one whose block came back is canonical again."""
    rows = [
        (
            escrow.address,
            escrow.place.block_hash,
            escrow.side.value,
            escrow.immutables.hashlock,
            escrow.immutables.order_hash,
            encode_immutables(escrow.immutables),
            None if escrow.complement is None else encode_complement(escrow.complement),
            escrow.place.block_number,
            escrow.place.block_time,
            escrow.place.tx_hash,
        )
        for escrow in {(escrow.address, escrow.place.block_hash): escrow for escrow in reversed(escrows)}.values()
    ]
    await conn.execute(_SAVE_ESCROWS, chain_id, *zip(*rows, strict=True))


_ADD_STRANGERS = """
INSERT INTO strangers AS s (chain_id, kind, count, up_to)
SELECT $1, kind, count(*), max(number) FROM unnest($2::text[], $3::bigint[]) AS e (kind, number)
WHERE number > coalesce((SELECT up_to FROM strangers o WHERE (o.chain_id, o.kind) = ($1, e.kind)), -1) GROUP BY kind
ON CONFLICT (chain_id, kind) DO UPDATE SET count = s.count + EXCLUDED.count, up_to = EXCLUDED.up_to
"""


async def add_strangers(
    conn: Connection, chain_id: ChainId, strangers: Sequence[tuple[EventKind, BlockNumber]]
) -> None:
    """Count events of other contracts, whole blocks of them; a block number that was counted is not counted again."""
    await conn.execute(
        _ADD_STRANGERS, chain_id, [kind.value for kind, _ in strangers], [number for _, number in strangers]
    )


_ORPHAN = (
    """
    UPDATE journal SET orphaned_at = clock_timestamp()
    WHERE chain_id = $1 AND block_number > $2 AND orphaned_at IS NULL
    """,
    """
    UPDATE escrows SET orphaned_at = clock_timestamp()
    WHERE chain_id = $1 AND block_number > $2 AND orphaned_at IS NULL
    """,
    "DELETE FROM chain_blocks WHERE chain_id = $1 AND number > $2",
)


async def orphan_above(conn: Connection, chain_id: ChainId, number: BlockNumber) -> None:
    """Take every block above `number` out of the window and its events and escrows out of sight."""
    for statement in _ORPHAN:
        await conn.execute(statement, chain_id, number)


def _head(row: asyncpg.Record) -> StoredHead:
    return StoredHead(
        number=BlockNumber(row["number"]),
        hash=BlockHash(row["hash"]),
        time=UnixTime(row["time"]),
        final_number=BlockNumber(row["final_number"]),
        final_time=UnixTime(row["final_time"]),
        seen_at=row["seen_at"],
        halted=row["halted"],
    )


def _escrow(row: asyncpg.Record) -> StoredEscrow:
    return StoredEscrow(
        chain_id=ChainId(row["chain_id"]),
        address=Address(row["address"]),
        side=Side(row["side"]),
        immutables=decode_immutables(row["immutables"]),
        complement=None if row["complement"] is None else decode_complement(row["complement"]),
        block_number=BlockNumber(row["block_number"]),
        block_time=UnixTime(row["block_time"]),
        block_hash=BlockHash(row["block_hash"]),
        tx_hash=TxHash(row["tx_hash"]),
    )


def _event(row: asyncpg.Record) -> StoredEvent:
    return StoredEvent(
        chain_id=ChainId(row["chain_id"]),
        kind=EventKind(row["kind"]),
        emitter=Address(row["emitter"]),
        escrow=None if row["escrow"] is None else Address(row["escrow"]),
        block_number=BlockNumber(row["block_number"]),
        block_time=UnixTime(row["block_time"]),
        block_hash=BlockHash(row["block_hash"]),
        tx_hash=TxHash(row["tx_hash"]),
        log_index=row["log_index"],
        is_foreign=row["is_foreign"],
        body=json.loads(row["body"]),
    )
