"""From a valid operation and its variables to what is asked of the database: one statement for each list."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from graphql import (
    GraphQLError,
    GraphQLIncludeDirective,
    GraphQLSchema,
    GraphQLSkipDirective,
    execute_sync,
    get_argument_values,
    get_directive_values,
    get_variable_values,
)
from graphql.execution.values import VariableValues
from graphql.language import (
    DocumentNode,
    FieldNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)

from bmn.api.graphql.cursors import decode_cursor
from bmn.api.graphql.document import Document
from bmn.api.graphql.filters import read_filter, read_text
from bmn.api.graphql.refusals import refused, refused_all
from bmn.api.graphql.schema import DEFAULT_LIMIT, MOST_ROWS, PLURAL, SINGULAR
from bmn.store.lists import Cursor, Listing, Op, Statement, Test, compile_count, compile_rows
from bmn.store.published import Column, ColumnKind, Table

MOST_CELLS: Final = 50_000
"""Of one answer: rows that may come times their columns; counting a list costs `COUNT_CELLS`."""
COUNT_CELLS: Final = 1_000
MOST_OFFSET: Final = 1_000_000
_LONGEST_NAME: Final = 63  # the database cuts longer ones

Names: TypeAlias = tuple[tuple[str, str], ...]
"""Names in the answer and the fields they stand for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """An answer that needs no database."""

    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class AskStatus:
    """Where the chains stand."""

    names: Names


@dataclass(frozen=True, slots=True, kw_only=True)
class AskRow:
    """One row, or null."""

    rows: Statement


@dataclass(frozen=True, slots=True, kw_only=True)
class AskPage:
    """A page of a list."""

    names: Names
    page_names: Names
    """Of `pageInfo`."""
    page_type: str
    rows: Statement | None
    """None: neither rows nor cursors were asked for."""
    count: Statement | None
    order: Column
    limit: int
    after: Cursor | None
    """Where the walk began; a row that is still there comes first and does not belong to the page."""
    is_reversed: bool
    """The rows come in the opposite order."""
    has_before: bool
    """Rows were skipped at the beginning."""


Ask: TypeAlias = Given | AskStatus | AskRow | AskPage
Plan: TypeAlias = tuple[tuple[str, Ask], ...]
"""What to ask, by the name in the answer."""


def plan_operation(schema: GraphQLSchema, document: Document, name: str | None, variables: Mapping[str, Any]) -> Plan:
    """Return what an operation asks for.

    Raises:
        RequestRefused: its variables or arguments are not what they must be, or it asks for too much.
    """
    operation = document.operation(name)
    try:
        values = get_variable_values(schema, operation.variable_definitions or (), dict(variables), max_errors=10)
    except RecursionError as error:
        raise refused("GQL_VARIABLES", "variables are nested too deep") from error
    if not isinstance(values, VariableValues):
        raise refused_all("GQL_VARIABLES", values)
    reader = _Reader(schema, document, operation, values)
    try:
        plan = tuple(reader.asks())
    except GraphQLError as error:
        raise refused_all("GQL_VALIDATION", [error]) from error
    if reader.cells > MOST_CELLS:
        raise refused("GQL_COST", f"it may need {reader.cells} cells; {MOST_CELLS} are allowed: ask for fewer rows")
    return plan


class _Reader:
    """Reads one operation and adds up what it costs."""

    def __init__(
        self, schema: GraphQLSchema, document: Document, operation: OperationDefinitionNode, values: VariableValues
    ) -> None:
        assert schema.query_type is not None
        self._schema = schema
        self._query = schema.query_type
        self._document = document
        self._operation = operation
        self._values = values
        self.cells = 0

    def asks(self) -> Iterator[tuple[str, Ask]]:
        for name, nodes in self._collect([self._operation.selection_set]).items():
            yield name, self._ask(name, nodes)

    def _ask(self, name: str, nodes: Sequence[FieldNode]) -> Ask:
        field = nodes[0].name.value
        if field == "__typename":
            return Given(value=self._query.name)
        if field.startswith("__"):
            return Given(value=self._introspect(name, nodes))
        if field == "_meta":
            return AskStatus(names=self._names(nodes))
        arguments = get_argument_values(self._query.fields[field], nodes[0], self._values)
        arguments = {key: value for key, value in arguments.items() if value is not None}
        if field in SINGULAR:
            return self._row(SINGULAR[field], arguments, nodes)
        return self._page(name, PLURAL[field], arguments, nodes)

    def _row(self, table: Table, arguments: dict[str, Any], nodes: Sequence[FieldNode]) -> AskRow:
        key, fields = table.columns[table.key], self._fields(table, nodes)
        value = arguments[key.name]
        self.cells += len(fields)
        where = Test(key, Op.IS, read_text(value) if isinstance(value, str) else value)
        listing = Listing(table=table, fields=fields, where=where, order=table.columns["id"], limit=1)
        return AskRow(rows=compile_rows(listing))

    def _page(self, name: str, table: Table, arguments: dict[str, Any], nodes: Sequence[FieldNode]) -> AskPage:
        selected = self._collect([node.selection_set for node in nodes if node.selection_set])
        names = tuple((key, found[0].name.value) for key, found in selected.items())
        inner = {found[0].name.value: found for found in selected.values()}
        items = [node for found in selected.values() for node in found if node.name.value == "items"]
        if sum(field == "items" for _, field in names) > 1:
            raise refused("GQL_VALIDATION", "items of one list are asked for once", path=name)
        page = self._bounds(name, table, arguments)
        fields = self._fields(table, items) if items else ()
        needs_rows = bool(items) or "pageInfo" in inner
        if needs_rows:
            self.cells += page.limit * max(len(fields), 1)
        if "totalCount" in inner:
            self.cells += COUNT_CELLS
        if sum(field == "pageInfo" for _, field in names) > 1:
            raise refused("GQL_VALIDATION", "pageInfo of one list is asked for once", path=name)
        # One row more tells whether the list goes on; with a cursor, its own row comes first.
        walked = Listing(
            table=page.table,
            fields=fields,
            where=page.where,
            order=page.order,
            is_descending=page.is_descending,
            limit=page.limit + (1 if page.after is None else 2),
            offset=page.offset,
            after=page.after,
            is_reversed=page.is_reversed,
            level=page.level,
            confirmations=page.confirmations,
        )
        return AskPage(
            names=names,
            page_names=self._names(inner["pageInfo"]) if "pageInfo" in inner else (),
            page_type=f"{table.name}Page",
            rows=compile_rows(walked) if needs_rows else None,
            count=compile_count(walked) if "totalCount" in inner else None,
            order=page.order,
            limit=page.limit,
            after=page.after,
            is_reversed=page.is_reversed,
            has_before=page.offset > 0,
        )

    def _bounds(self, name: str, table: Table, arguments: dict[str, Any]) -> Listing:
        """Read the arguments of a list; its fields are not in it."""
        order = table.columns.get(arguments.get("orderBy", "id"))
        if order is None or order.is_level:
            raise refused("BAD_ORDER", f"orderBy must name a column of {table.name}", path=name)
        direction = arguments.get("orderDirection", "asc")
        if direction not in {"asc", "desc"}:
            raise refused("BAD_ORDER", "orderDirection is asc or desc", path=name)
        limit, offset = arguments.get("limit", DEFAULT_LIMIT), arguments.get("offset", 0)
        if not 0 <= limit <= MOST_ROWS:
            raise refused("BAD_LIMIT", f"limit is from 0 to {MOST_ROWS}", path=name)
        if not 0 <= offset <= MOST_OFFSET:
            raise refused("BAD_OFFSET", f"offset is from 0 to {MOST_OFFSET}; cursors go further", path=name)
        before, after = arguments.get("before"), arguments.get("after")
        if sum((before is not None, after is not None, offset > 0)) > 1:
            raise refused("BAD_CURSOR", "give one of before, after and offset", path=name)
        cursor = after if before is None else before
        return Listing(
            table=table,
            fields=(),
            where=read_filter(table, arguments.get("where", {})),
            order=order,
            is_descending=direction == "desc",
            limit=limit,
            offset=offset,
            after=None if cursor is None else decode_cursor(order, cursor),
            is_reversed=before is not None,
            level="finalized" if arguments.get("level") == "finalized" else None,
            confirmations=arguments.get("confirmations"),
        )

    def _fields(self, table: Table, nodes: Sequence[FieldNode]) -> tuple[tuple[str, Column], ...]:
        names = self._names(nodes)
        if any(len(name) > _LONGEST_NAME for name, _ in names):
            raise refused("GQL_ALIASES", f"an alias of a column has at most {_LONGEST_NAME} characters")
        return tuple(
            (name, _typename(table) if field == "__typename" else table.columns[field]) for name, field in names
        )

    def _names(self, nodes: Sequence[FieldNode]) -> Names:
        selected = self._collect([node.selection_set for node in nodes if node.selection_set])
        return tuple((name, found[0].name.value) for name, found in selected.items())

    def _collect(self, selections: Sequence[SelectionSetNode]) -> dict[str, list[FieldNode]]:
        """Return the fields of some selections of one type, by their names in the answer."""
        found: dict[str, list[FieldNode]] = {}
        for selection_set in selections:
            for node in self._expand(selection_set):
                found.setdefault((node.alias or node.name).value, []).append(node)
        return found

    def _expand(self, selections: SelectionSetNode) -> Iterator[FieldNode]:
        for node in selections.selections:
            assert isinstance(node, FieldNode | FragmentSpreadNode | InlineFragmentNode)
            if node.directives and self._is_left_out(node):
                continue
            # No type of ours is abstract, so a fragment that is valid here is of the type that is here.
            match node:
                case FieldNode():
                    yield node
                case FragmentSpreadNode():
                    yield from self._expand(self._document.fragments[node.name.value].selection_set)
                case InlineFragmentNode():
                    yield from self._expand(node.selection_set)

    def _is_left_out(self, node: FieldNode | FragmentSpreadNode | InlineFragmentNode) -> bool:
        skip = get_directive_values(GraphQLSkipDirective, node, self._values)
        include = get_directive_values(GraphQLIncludeDirective, node, self._values)
        return bool(skip and skip["if"]) or bool(include and not include["if"])

    def _introspect(self, name: str, nodes: Sequence[FieldNode]) -> object:
        """Let the library say what the schema is."""
        alone = OperationDefinitionNode(
            operation=self._operation.operation,
            variable_definitions=self._operation.variable_definitions,
            directives=(),
            selection_set=SelectionSetNode(selections=tuple(nodes)),
        )
        fragments = self._document.fragments.values()
        result = execute_sync(
            self._schema,
            DocumentNode(definitions=(alone, *fragments)),
            variable_values=self._values.coerced,
        )
        if result.errors or result.data is None:
            raise refused_all("GQL_VALIDATION", result.errors or ())
        return result.data[name]


def _typename(table: Table) -> Column:
    return Column(
        name="__typename",
        place=f"'{table.name}'::text",
        kind=ColumnKind.TEXT,
        is_small=True,
        is_null=False,
        is_level=False,
    )
