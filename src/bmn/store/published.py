"""What readers outside may list: names, kinds and places of the columns of the projections."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class ColumnKind(StrEnum):
    """How a column looks outside."""

    NUMBER = "Int"
    """A JSON number."""
    BIG = "BigInt"
    """Decimal digits in a string: amounts, times, heights."""
    TEXT = "String"
    """Lower-case 0x-hex, an id of such parts, or the name of a state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a table."""

    name: str
    """Outside, in camel case."""
    place: str
    """In SQL, of table `t` or of the head `h` of its chain."""
    kind: ColumnKind
    is_small: bool
    """The database keeps it in 64 bits."""
    is_null: bool
    """It may be null."""
    is_level: bool
    """It says how deep the row's block is; needs the head, and cannot be sorted or searched by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table, each row with an `id` of its own."""

    name: str
    """Outside, in camel case."""
    source: str
    """In SQL: a table, or a query in brackets."""
    columns: Mapping[str, Column]
    """By their outside name."""
    key: str
    """The column by which one row is asked for."""
    has_block: bool
    """Each row is an event of one block, so it has a level."""


def camel(name: str) -> str:
    """Return `src_chain_id` as `srcChainId`."""
    first, *others = name.split("_")
    return first + "".join(part.title() for part in others)


_LEVEL = "CASE WHEN t.block_number <= h.final_number THEN 'finalized' ELSE 'seen' END"
_CONFIRMATIONS = "h.number - t.block_number + 1"
_NUMERIC = ("amount", "deposit", "timelocks", "remaining", "slot", "mask", "balance", "margin_bps")


def _column(words: str, table: str) -> Column:
    """Read `name kind`, where kind is `text`, `int` or `big`, and `?` after it allows null."""
    name, kind = words.split()
    is_wide = name.endswith(_NUMERIC) or (table, name) == ("src_escrow", "dst_chain_id")
    return Column(
        name=camel(name),
        place=f"t.{name}",
        kind={"text": ColumnKind.TEXT, "int": ColumnKind.NUMBER, "big": ColumnKind.BIG}[kind.rstrip("?")],
        is_small=not is_wide,
        is_null=kind.endswith("?"),
        is_level=False,
    )


def _level_column(name: str, place: str, kind: ColumnKind) -> Column:
    return Column(name=name, place=place, kind=kind, is_small=True, is_null=True, is_level=True)


def _table(name: str, columns: str, *, key: str = "id", source: str | None = None) -> Table:
    found = [_column(words.strip(), name) for words in columns.replace("\n", ",").split(",") if words.strip()]
    has_block = any(column.name == "blockHash" for column in found)
    if has_block:
        found += [
            _level_column("level", _LEVEL, ColumnKind.TEXT),
            _level_column("confirmations", _CONFIRMATIONS, ColumnKind.NUMBER),
        ]
    return Table(
        name=camel(name),
        source=source or name,
        columns={column.name: column for column in found},
        key=key,
        has_block=has_block,
    )


_BLOCK = "block_number big, block_hash text, log_index int, transaction_hash text"

# Amounts are compared as they are: a margin means something between tokens of the same worth and decimals.
_PROFITABLE = """
(SELECT s.id, s.chain_id, s.escrow_address, s.hashlock, a.order_hash, a.dst_chain_id, s.maker, s.taker, s.dst_maker,
        s.src_token, s.dst_token, s.src_amount, s.dst_amount, s.src_safety_deposit, s.dst_safety_deposit, s.timelocks,
        s.created_at, s.block_number, s.block_hash, s.log_index, s.transaction_hash,
        floor((s.src_amount - s.dst_amount) * 10000 / nullif(s.src_amount, 0)) AS margin_bps
 FROM atomic_swap a JOIN src_escrow s ON s.hashlock = a.id
 WHERE a.status = 'src_created' AND s.status = 'created')
"""

TABLES = (
    _table(
        "src_escrow",
        f"""id text, chain_id int, escrow_address text, order_hash text, hashlock text, maker text, taker text
        src_token text, src_amount big, src_safety_deposit big, dst_maker text, dst_token text, dst_amount big
        dst_safety_deposit big, dst_chain_id big, timelocks big, created_at big, {_BLOCK}, status text""",
    ),
    _table(
        "dst_escrow",
        f"""id text, chain_id int, escrow_address text, hashlock text, taker text
        created_at big, {_BLOCK}, status text""",
    ),
    _table(
        "escrow_withdrawal",
        f"id text, chain_id int, escrow_address text, hashlock text, secret text, withdrawn_at big, {_BLOCK}",
    ),
    _table(
        "escrow_cancellation",
        f"id text, chain_id int, escrow_address text, hashlock text, cancelled_at big, {_BLOCK}",
    ),
    _table(
        "atomic_swap",
        """id text, order_hash text?, src_chain_id int?, dst_chain_id int?, src_escrow_address text?
        dst_escrow_address text?, maker text?, taker text?, src_amount big?, dst_amount big?, status text
        src_created_at big?, dst_created_at big?, completed_at big?, cancelled_at big?, secret text?""",
    ),
    _table("order_fill", f"id text, chain_id int, order_hash text, remaining big, filled_at big, {_BLOCK}"),
    _table(
        "order_cancellation",
        f"""id text, chain_id int, order_hash text?, maker text?, slot big?, mask big?
        cancelled_at big, {_BLOCK}""",
    ),
    _table(
        "bmn_transfer",
        f"id text, chain_id int, sender text, receiver text, amount big, transferred_at big, {_BLOCK}",
    ),
    _table("bmn_holder", "id text, chain_id int, address text, balance big"),
    _table(
        "chain_statistics",
        """id text, chain_id int, block_number big, src_escrows big, dst_escrows big, withdrawals big
        cancellations big, rescues big, order_fills big, order_cancellations big, bmn_transfers big""",
        key="chainId",
    ),
    # The mission's PROFITABLE_ORDERS: swaps that wait for their destination, with what they would earn.
    _table(
        "profitable_order",
        f"""id text, chain_id int, escrow_address text, hashlock text, order_hash text?, dst_chain_id int?, maker text
        taker text, dst_maker text, src_token text, dst_token text, src_amount big, dst_amount big
        src_safety_deposit big, dst_safety_deposit big, timelocks big, created_at big, {_BLOCK}, margin_bps big?""",
        source=_PROFITABLE,
    ),
)
"""All that is listed. Each column stands in the migration of the projections under its name in SQL."""
