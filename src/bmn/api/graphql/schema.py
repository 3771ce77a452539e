"""The schema: a field for one row and one for a list of each published table, named as a client of Ponder expects."""

import re
from collections.abc import Iterator
from typing import Final

from graphql import GraphQLError, GraphQLSchema, Undefined, build_schema
from graphql.language import IntValueNode, StringValueNode, ValueNode

from bmn.store.lists import Op
from bmn.store.published import TABLES, Column, ColumnKind, Table

DEFAULT_LIMIT: Final = 50
MOST_ROWS: Final = 1000
_WHOLE: Final = re.compile(r"-?[0-9]{1,78}", re.ASCII)

_EQUALITY: Final = (Op.IS, Op.NOT)
_ORDER: Final = (Op.GT, Op.LT, Op.GTE, Op.LTE)
_PARTS: Final = (
    *(Op.CONTAINS, Op.NOT_CONTAINS, Op.STARTS_WITH),
    *(Op.ENDS_WITH, Op.NOT_STARTS_WITH, Op.NOT_ENDS_WITH),
)

_HEAD: Final = '''
"""A whole number as decimal digits in a string."""
scalar BigInt

scalar JSON

type PageInfo {
  hasNextPage: Boolean!
  hasPreviousPage: Boolean!
  startCursor: String
  endCursor: String
}

type Meta {
  """Where each chain stands, by its name."""
  status: JSON
}

"""How deep the block of a row is at least."""
enum Level {
  seen
  finalized
}
'''

SINGULAR: Final = {table.name: table for table in TABLES}
"""Tables by the name of the field for one row."""
PLURAL: Final = {f"{table.name}s": table for table in TABLES}
"""Tables by the name of the field for a list."""
TESTS: Final[dict[str, dict[str, tuple[Column, Op]]]] = {
    table.name: {
        column.name + op.value: (column, op)
        for column in table.columns.values()
        if not column.is_level
        for op in (*_EQUALITY, Op.IN, Op.NOT_IN, *(_PARTS if column.kind is ColumnKind.TEXT else _ORDER))
    }
    for table in TABLES
}
"""What the fields of each filter mean."""


def build_graphql_schema() -> GraphQLSchema:
    """Return the schema of `print_sdl`."""
    schema = build_schema(print_sdl())
    big = schema.type_map["BigInt"]
    # A schema that was read from text offers no other way to say how a scalar is read.
    vars(big).update(coerce_input_value=parse_big, parse_value=parse_big, coerce_input_literal=_parse_literal)
    return schema


def print_sdl() -> str:
    """Return the schema as text."""
    return "\n".join([_HEAD, *map(_types, TABLES), _query()])


def parse_big(value: object) -> int:
    """Read a BigInt of a client: decimal digits in a string, or a JSON number.

    Raises:
        GraphQLError: anything else, or more than 78 digits.
    """
    if isinstance(value, str | int) and not isinstance(value, bool) and _WHOLE.fullmatch(str(value)):
        return int(value)
    raise GraphQLError("a BigInt is a string of at most 78 decimal digits")


def _parse_literal(node: ValueNode, _variables: object = None) -> object:
    if isinstance(node, StringValueNode | IntValueNode):
        return parse_big(node.value)
    return Undefined


def _types(table: Table) -> str:
    name = table.name
    columns = "\n".join(
        f"  {column.name}: {column.kind.value}{'' if column.is_null else '!'}" for column in table.columns.values()
    )
    tests = "\n".join(_filter_fields(table))
    return f"""
type {name} {{
{columns}
}}

type {name}Page {{
  items: [{name}!]!
  pageInfo: PageInfo!
  totalCount: Int!
}}

input {name}Filter {{
  AND: [{name}Filter]
  OR: [{name}Filter]
{tests}
}}
"""


def _filter_fields(table: Table) -> Iterator[str]:
    for name, (column, op) in TESTS[table.name].items():
        kind = column.kind.value
        yield f"  {name}: " + (f"[{kind}]" if op in {Op.IN, Op.NOT_IN} else kind)


def _query() -> str:
    fields = []
    for singular, table in SINGULAR.items():
        key = table.columns[table.key]
        fields.append(f"  {singular}({key.name}: {key.kind.value}!): {singular}")
    for plural, table in PLURAL.items():
        levels = ", level: Level, confirmations: Int" if table.has_block else ""
        fields.append(
            f"  {plural}(where: {table.name}Filter, orderBy: String, orderDirection: String, before: String, "
            f"after: String, limit: Int, offset: Int{levels}): {table.name}Page!"
        )
    return "\n".join(["type Query {", *fields, "  _meta: Meta", "}"])
