"""Rows of the projections as JSON text: one statement for a list, with the columns that were asked for and no others.

The database makes the JSON, so a row costs this process one copy. Names in the statements are constants of ours and
the checked names of columns; every value is bound.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, TypeAlias, assert_never

from bmn.pg.pool import Connection
from bmn.store.published import Column, ColumnKind, Table

_SMALL: Final = range(-(2**63), 2**63)


class Op(Enum):
    """How a column is compared; the value is what stands behind its name outside."""

    IS = ""
    NOT = "_not"
    IN = "_in"
    NOT_IN = "_not_in"
    GT = "_gt"
    LT = "_lt"
    GTE = "_gte"
    LTE = "_lte"
    CONTAINS = "_contains"
    NOT_CONTAINS = "_not_contains"
    STARTS_WITH = "_starts_with"
    NOT_STARTS_WITH = "_not_starts_with"
    ENDS_WITH = "_ends_with"
    NOT_ENDS_WITH = "_not_ends_with"


Value: TypeAlias = int | str | None


@dataclass(frozen=True, slots=True)
class Test:
    """A column compared with a value; with IN and NOT_IN a tuple of them."""

    column: Column
    op: Op
    value: Value | tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Every:
    """All of them hold; true when there are none."""

    tests: tuple["Where", ...]


@dataclass(frozen=True, slots=True)
class Either:
    """One of them holds; there is at least one."""

    tests: tuple["Where", ...]


Where: TypeAlias = Test | Every | Either


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in an order: the value of the sorted column, and the id, of the row that is there."""

    value: Value
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A part of a table, in the order of a column and then of the id."""

    table: Table
    fields: tuple[tuple[str, Column], ...]
    """Columns of a row by the name they have in the answer; a name has at most 63 characters."""
    where: Where = Every(())
    order: Column
    is_descending: bool = False
    limit: int
    offset: int = 0
    after: Cursor | None = None
    """Begin with this place, itself included if a row is still there."""
    is_reversed: bool = False
    """Walk the order backwards: from the end, or from `after`."""
    level: str | None = None
    """`finalized`: of final blocks only."""
    confirmations: int | None = None
    """Only of blocks with at least so many, themselves counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """SQL and what is bound to it."""

    sql: str
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its JSON, and where it is in the order."""

    json: str
    place: Cursor


def compile_rows(listing: Listing) -> Statement:
    """Return the statement for `fetch_rows`."""
    bound = _Bound()
    table, order = listing.table, listing.order
    is_descending = listing.is_descending != listing.is_reversed
    condition = _condition(listing, bound)
    if listing.after is not None:
        condition += f" AND {_from(listing.after, order, bound, is_descending=is_descending)}"
    way = "DESC" if is_descending else "ASC"
    by = f"t.id {way}" if order.name == "id" else f"{order.place} {way}, t.id {way}"
    fields = ", ".join(f'{_shown(column)} AS "{name}"' for name, column in listing.fields) or "NULL"
    needs_head = _needs_head(listing) or any(column.is_level for _, column in listing.fields)
    sql = f"""
SELECT row_to_json(r)::text AS json, {order.place}::text AS value, t.id
FROM {_source(table, needs_head=needs_head)} CROSS JOIN LATERAL (SELECT {fields}) r
WHERE {condition}
ORDER BY {by}
LIMIT {bound.add(listing.limit, "bigint")} OFFSET {bound.add(listing.offset, "bigint")}
"""  # noqa: S608 - names are ours, values are bound
    return Statement(sql=sql, values=tuple(bound.values))


def compile_count(listing: Listing) -> Statement:
    """Return the statement for `fetch_count`: of the whole list, wherever a page of it begins or ends."""
    bound = _Bound()
    source, condition = _source(listing.table, needs_head=_needs_head(listing)), _condition(listing, bound)
    return Statement(
        sql=f"SELECT count(*) FROM {source} WHERE {condition}",  # noqa: S608 - same
        values=tuple(bound.values),
    )


async def fetch_rows(conn: Connection, statement: Statement) -> list[Row]:
    """Return the rows in the order in which they were walked."""
    rows = await conn.fetch(statement.sql, *statement.values)
    return [Row(json, Cursor(value, id_)) for json, value, id_ in rows]


async def fetch_count(conn: Connection, statement: Statement) -> int:
    """Return how many rows the whole list has."""
    count: int = await conn.fetchval(statement.sql, *statement.values)
    return count


# The last writers of head and statistics of each chain: rows of the projections change in no other transaction.
_MARK = """
SELECT coalesce(string_agg(chain_id || ':' || wrote, ' ' ORDER BY what, chain_id), '')
FROM (SELECT 1 AS what, chain_id, xmin::text AS wrote FROM chain_heads
      UNION ALL SELECT 2, chain_id, xmin::text FROM chain_statistics) last
"""


async def load_mark(conn: Connection) -> str:
    """Return a text that is another one after each block that is written or taken back, and each step of a rebuild."""
    mark: str = await conn.fetchval(_MARK)
    return mark


class _Bound:
    """Values of one statement."""

    def __init__(self) -> None:
        self.values: list[Any] = []

    def add(self, value: object, kind: str) -> str:
        self.values.append(value)
        return f"${len(self.values)}::{kind}"


def _source(table: Table, *, needs_head: bool) -> str:
    return f"{table.source} t LEFT JOIN chain_heads h ON h.chain_id = t.chain_id" if needs_head else f"{table.source} t"


def _needs_head(listing: Listing) -> bool:
    return listing.level is not None or listing.confirmations is not None


def _shown(column: Column) -> str:
    return f"{column.place}::text" if column.kind is ColumnKind.BIG else column.place


def _condition(listing: Listing, bound: _Bound) -> str:
    found = [_where(listing.where, bound)]
    if listing.level is not None:
        found.append("t.block_number <= h.final_number")
    if listing.confirmations is not None:
        found.append(f"h.number - t.block_number + 1 >= {bound.add(listing.confirmations, 'bigint')}")
    return " AND ".join(found)


def _where(where: Where, bound: _Bound) -> str:
    match where:
        case Test():
            return _test(where, bound)
        case Every():
            return "(" + " AND ".join(_where(test, bound) for test in where.tests) + ")" if where.tests else "true"
        case Either():
            return "(" + " OR ".join(_where(test, bound) for test in where.tests) + ")"
        case _:
            assert_never(where)


_COMPARED: Final = {Op.IS: "=", Op.NOT: "<>", Op.GT: ">", Op.LT: "<", Op.GTE: ">=", Op.LTE: "<="}
_LISTED: Final = {Op.IN: "= ANY", Op.NOT_IN: "<> ALL"}
_SOUGHT: Final = {
    Op.CONTAINS: "strpos({place}, {value}) > 0",
    Op.NOT_CONTAINS: "strpos({place}, {value}) = 0",
    Op.STARTS_WITH: "starts_with({place}, {value})",
    Op.NOT_STARTS_WITH: "NOT starts_with({place}, {value})",
    Op.ENDS_WITH: "right({place}, length({value})) = {value}",
    Op.NOT_ENDS_WITH: "right({place}, length({value})) <> {value}",
}


def _test(test: Test, bound: _Bound) -> str:
    column, op, value = test.column, test.op, test.value
    if value is None:
        return {Op.IS: f"{column.place} IS NULL", Op.NOT: f"{column.place} IS NOT NULL"}.get(op, "false")
    values = [item for item in value if item is not None] if isinstance(value, tuple) else [value]
    place, kind = _typed(column, values)
    if op in _LISTED:
        return f"{place} {_LISTED[op]}({bound.add(values, kind + '[]')})"
    if op in _SOUGHT:
        return _SOUGHT[op].format(place=place, value=bound.add(value, kind))
    return f"{place} {_COMPARED[op]} {bound.add(value, kind)}"


def _typed(column: Column, values: Sequence[Value]) -> tuple[str, str]:
    """Return the column and its SQL type; one of 64 bits is widened where a value is not of that size."""
    if column.kind is ColumnKind.TEXT:
        return column.place, "text"
    if column.is_small and all(value in _SMALL for value in values):
        return column.place, "bigint"
    return (f"{column.place}::numeric" if column.is_small else column.place), "numeric"


def _from(cursor: Cursor, order: Column, bound: _Bound, *, is_descending: bool) -> str:
    """Say: at this place or behind it. Nulls are greater than all else, as PostgreSQL sorts them."""
    sign = "<=" if is_descending else ">="
    id_ = bound.add(cursor.id, "text")
    if order.name == "id":
        return f"t.id {sign} {id_}"
    if cursor.value is None:
        here = f"({order.place} IS NULL AND t.id {sign} {id_})"
        return f"({order.place} IS NOT NULL OR {here})" if is_descending else here
    place, kind = _typed(order, [cursor.value])
    behind = f"({place}, t.id) {sign} ({bound.add(cursor.value, kind)}, {id_})"
    return f"({behind} OR {order.place} IS NULL)" if order.is_null and not is_descending else behind
