"""The tables for readers that hold one row for an event, or count them: how to add and take back a span of blocks.

Each statement takes $1 the chain and $2, $3 a span of its blocks: above, and up to. It reads the journal, canonical
rows by contracts of ours only.
"""

from collections.abc import Mapping
from typing import Final

from bmn.store.journal import EventKind

_FACTS: Final = """
j.chain_id = $1 AND j.block_number > $2 AND j.block_number <= $3 AND j.orphaned_at IS NULL AND NOT j.is_foreign
AND j.kind ="""

_PLACE: Final = "j.block_number, '0x' || encode(j.block_hash, 'hex'), j.log_index, '0x' || encode(j.tx_hash, 'hex')"
_AT_PLACE: Final = "block_number, block_hash, log_index, transaction_hash"
_ESCROW: Final = "'0x' || encode(j.escrow, 'hex')"
_HASHLOCK: Final = "'0x' || encode(j.hashlock, 'hex')"
_ORDER: Final = "'0x' || encode(j.order_hash, 'hex')"
_ESCROW_ID: Final = f"j.chain_id || '-' || {_ESCROW}"
_EVENT_ID: Final = "j.chain_id || '-0x' || encode(j.tx_hash, 'hex') || '-' || j.log_index"
_END_ID: Final = f"{_ESCROW_ID} || '-0x' || encode(j.tx_hash, 'hex') || '-' || j.log_index"

# An address is made once; should it ever be told twice, the first word counts.
_SRC_ESCROWS = f"""
INSERT INTO src_escrow (id, chain_id, escrow_address, order_hash, hashlock, maker, taker, src_token, src_amount,
    src_safety_deposit, timelocks, dst_maker, dst_amount, dst_token, dst_safety_deposit, dst_chain_id,
    created_at, {_AT_PLACE}, status)
SELECT DISTINCT ON (j.escrow) {_ESCROW_ID}, j.chain_id, {_ESCROW}, {_ORDER}, {_HASHLOCK},
    abi_address(b.i, 2), abi_address(b.i, 3), abi_address(b.i, 4), abi_uint(b.i, 5), abi_uint(b.i, 6), abi_uint(b.i, 7),
    abi_address(b.c, 0), abi_uint(b.c, 1), abi_address(b.c, 2), abi_uint(b.c, 3), abi_uint(b.c, 4),
    j.block_time, {_PLACE}, 'created'
FROM journal j CROSS JOIN LATERAL (SELECT j.body ->> 'immutables' AS i, j.body ->> 'complement' AS c) b
WHERE {_FACTS} '{EventKind.SRC_ESCROW_CREATED}'
ORDER BY j.escrow, j.block_number, j.log_index ON CONFLICT DO NOTHING
"""

_DST_ESCROWS = f"""
INSERT INTO dst_escrow (id, chain_id, escrow_address, hashlock, taker, created_at, {_AT_PLACE}, status)
SELECT DISTINCT ON (j.escrow) {_ESCROW_ID}, j.chain_id, {_ESCROW}, {_HASHLOCK}, lower(j.body ->> 'taker'),
    j.block_time, {_PLACE}, 'created'
FROM journal j WHERE {_FACTS} '{EventKind.DST_ESCROW_CREATED}'
ORDER BY j.escrow, j.block_number, j.log_index ON CONFLICT DO NOTHING
"""

_WITHDRAWALS = f"""
INSERT INTO escrow_withdrawal (id, chain_id, escrow_address, hashlock, secret, withdrawn_at, {_AT_PLACE})
SELECT {_END_ID}, j.chain_id, {_ESCROW}, {_HASHLOCK}, '0x' || encode(j.secret, 'hex'), j.block_time, {_PLACE}
FROM journal j WHERE {_FACTS} '{EventKind.ESCROW_WITHDRAWAL}'
"""

_CANCELLATIONS = f"""
INSERT INTO escrow_cancellation (id, chain_id, escrow_address, hashlock, cancelled_at, {_AT_PLACE})
SELECT {_END_ID}, j.chain_id, {_ESCROW}, {_HASHLOCK}, j.block_time, {_PLACE}
FROM journal j WHERE {_FACTS} '{EventKind.ESCROW_CANCELLED}'
"""

_FILLS = f"""
INSERT INTO order_fill (id, chain_id, order_hash, remaining, filled_at, {_AT_PLACE})
SELECT {_EVENT_ID}, j.chain_id, {_ORDER}, (j.body ->> 'remaining')::numeric, j.block_time, {_PLACE}
FROM journal j WHERE {_FACTS} '{EventKind.ORDER_FILLED}'
"""

_ORDER_CANCELLATIONS = f"""
INSERT INTO order_cancellation (id, chain_id, order_hash, cancelled_at, {_AT_PLACE})
SELECT {_EVENT_ID}, j.chain_id, {_ORDER}, j.block_time, {_PLACE}
FROM journal j WHERE {_FACTS} '{EventKind.ORDER_CANCELLED}'
"""

_SPENT_NONCES = f"""
INSERT INTO order_cancellation (id, chain_id, maker, slot, mask, cancelled_at, {_AT_PLACE})
SELECT {_EVENT_ID}, j.chain_id, '0x' || encode(j.maker, 'hex'), (j.body ->> 'slot')::numeric,
    (j.body ->> 'mask')::numeric, j.block_time, {_PLACE}
FROM journal j WHERE {_FACTS} '{EventKind.BIT_INVALIDATED}'
"""

_TRANSFERS = f"""
WITH moved AS (
    INSERT INTO bmn_transfer (id, chain_id, sender, receiver, amount, transferred_at, {_AT_PLACE})
    SELECT {_EVENT_ID}, j.chain_id, lower(j.body ->> 'sender'), lower(j.body ->> 'receiver'),
        (j.body ->> 'amount')::numeric, j.block_time, {_PLACE}
    FROM journal j WHERE {_FACTS} '{EventKind.BMN_TRANSFER}'
    RETURNING sender, receiver, amount
), changed AS (
    SELECT address, sum(amount) AS amount
    FROM (SELECT receiver AS address, amount FROM moved UNION ALL SELECT sender, -amount FROM moved) m
    WHERE address <> '0x' || repeat('0', 40) GROUP BY address)
INSERT INTO bmn_holder AS h (id, chain_id, address, balance)
SELECT $1 || '-' || address, $1, address, amount FROM changed
ON CONFLICT (id) DO UPDATE SET balance = h.balance + EXCLUDED.balance
"""

ADD: Final[Mapping[EventKind, str]] = {
    EventKind.SRC_ESCROW_CREATED: _SRC_ESCROWS,
    EventKind.DST_ESCROW_CREATED: _DST_ESCROWS,
    EventKind.ESCROW_WITHDRAWAL: _WITHDRAWALS,
    EventKind.ESCROW_CANCELLED: _CANCELLATIONS,
    EventKind.ORDER_FILLED: _FILLS,
    EventKind.ORDER_CANCELLED: _ORDER_CANCELLATIONS,
    EventKind.BIT_INVALIDATED: _SPENT_NONCES,
    EventKind.BMN_TRANSFER: _TRANSFERS,
}
"""Adds the rows of one kind of event, which are not there yet. Other kinds have no rows."""

EMPTIED: Final = "DELETE FROM bmn_holder WHERE chain_id = $1 AND balance = 0"
"""Follows every change of balances: who has nothing is no holder."""

REMOVE: Final = (
    *(
        f"DELETE FROM {table} WHERE chain_id = $1 AND block_number > $2 AND block_number <= $3"
        for table in (
            *("src_escrow", "dst_escrow", "escrow_withdrawal", "escrow_cancellation"),
            *("order_fill", "order_cancellation"),
        )
    ),
    """
    WITH moved AS (
        DELETE FROM bmn_transfer WHERE chain_id = $1 AND block_number > $2 AND block_number <= $3
        RETURNING sender, receiver, amount
    ), changed AS (
        SELECT address, sum(amount) AS amount
        FROM (SELECT sender AS address, amount FROM moved UNION ALL SELECT receiver, -amount FROM moved) m
        WHERE address <> '0x' || repeat('0', 40) GROUP BY address)
    INSERT INTO bmn_holder AS h (id, chain_id, address, balance)
    SELECT $1 || '-' || address, $1, address, amount FROM changed
    ON CONFLICT (id) DO UPDATE SET balance = h.balance + EXCLUDED.balance
    """,
)
"""Take the rows of a span away again, with what follows from them."""

_COUNTED: Final[Mapping[str, tuple[EventKind, ...]]] = {
    "src_escrows": (EventKind.SRC_ESCROW_CREATED,),
    "dst_escrows": (EventKind.DST_ESCROW_CREATED,),
    "withdrawals": (EventKind.ESCROW_WITHDRAWAL,),
    "cancellations": (EventKind.ESCROW_CANCELLED,),
    "rescues": (EventKind.FUNDS_RESCUED,),
    "order_fills": (EventKind.ORDER_FILLED,),
    "order_cancellations": (EventKind.ORDER_CANCELLED, EventKind.BIT_INVALIDATED),
    "bmn_transfers": (EventKind.BMN_TRANSFER,),
}


def _quoted(kind: EventKind) -> str:
    return f"'{kind.value}'"


_COUNTS: Final = ",\n    ".join(
    f"{column} = s.{column} + $5 * (SELECT count(*) FROM seen WHERE kind IN ({', '.join(map(_quoted, kinds))}))"
    for column, kinds in _COUNTED.items()
)

COUNT: Final = f"""
WITH seen AS (
    SELECT kind FROM journal WHERE chain_id = $1 AND block_number > $2 AND block_number <= $3
    AND orphaned_at IS NULL AND NOT is_foreign)
UPDATE chain_statistics s SET block_number = CASE WHEN $5 > 0 THEN $3 ELSE $2 END,
    {_COUNTS}
WHERE s.chain_id = $1 AND s.rules = $4 AND s.block_number = CASE WHEN $5 > 0 THEN $2 ELSE $3 END
RETURNING true
"""
"""Moves a chain from $2 to $3, or back if $5 is -1 and not 1; no row, if it is elsewhere or has rows by other rules."""

BEGIN: Final = f"""
INSERT INTO chain_statistics (id, chain_id, rules, block_number, {", ".join(_COUNTED)})
VALUES ($1::bigint::text, $1, $2, -1, {", ".join("0" for _ in _COUNTED)})
"""
"""A chain without rows, below its first block; $2 are the rules."""

CLEAR: Final = tuple(
    f"DELETE FROM {table} WHERE chain_id = $1"
    for table in (
        *("src_escrow", "dst_escrow", "escrow_withdrawal", "escrow_cancellation", "order_fill", "order_cancellation"),
        *("bmn_transfer", "bmn_holder", "chain_statistics"),
    )
)
"""Take all rows of a chain away."""
