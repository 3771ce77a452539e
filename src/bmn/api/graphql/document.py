"""From text to a document that is valid and small: checked once for each text, the answer kept either way."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from graphql import GraphQLError, GraphQLSchema, GraphQLSyntaxError, parse, validate
from graphql.language import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)

from bmn.api.graphql.refusals import RequestRefused, refused, refused_all

MOST_CHARACTERS: Final = 16_384
MOST_TOKENS: Final = 2_000
MOST_DEPTH: Final = 8
"""Of nested fields; introspection has its own rule."""
MOST_ALIASES: Final = 20
MOST_ROOT_FIELDS: Final = 10
MOST_FRAGMENTS: Final = 20
_MOST_FIELDS: Final = 2_000  # after expansion: fragments in fragments double with each step
_MOST_ERRORS: Final = 10

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A valid document."""

    node: DocumentNode
    operations: tuple[OperationDefinitionNode, ...]
    fragments: dict[str, FragmentDefinitionNode]

    def operation(self, name: str | None) -> OperationDefinitionNode:
        """Return the operation of that name; None: the only one.

        Raises:
            RequestRefused: GQL_OPERATION.
        """
        found = [node for node in self.operations if name is None or (node.name and node.name.value == name)]
        if len(found) != 1:
            raise refused("GQL_OPERATION", "operationName must name one operation of the document")
        return found[0]


class Recent(Generic[K, V]):
    """The values last asked for, at most `size`; refusals are kept like values."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: OrderedDict[K, V | RequestRefused] = OrderedDict()

    def get(self, key: K, make: Callable[[], V]) -> V:
        """Return what `make` returned for this key.

        Raises:
            RequestRefused: as `make` did.
        """
        kept = self._kept.get(key)
        if kept is None:
            try:
                kept = make()
            except RequestRefused as refusal:
                kept = RequestRefused(*refusal.errors)  # without the frames it came through
            self._kept[key] = kept
            if len(self._kept) > self._size:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(key)
        if isinstance(kept, RequestRefused):
            raise RequestRefused(*kept.errors)
        return kept


def read_document(schema: GraphQLSchema, text: str) -> Document:
    """Parse, measure and validate.

    Raises:
        RequestRefused: GQL_SYNTAX, GQL_VALIDATION, or the limit that was passed.
    """
    if len(text) > MOST_CHARACTERS:
        raise refused("GQL_TOO_LONG", f"a document has at most {MOST_CHARACTERS} characters")
    try:
        node = parse(text, max_tokens=MOST_TOKENS, allow_empty_selection_sets=False)
        document = Document(
            node=node,
            operations=tuple(found for found in node.definitions if isinstance(found, OperationDefinitionNode)),
            fragments={
                found.name.value: found for found in node.definitions if isinstance(found, FragmentDefinitionNode)
            },
        )
        _measure(document)
        errors = validate(schema, node, max_errors=_MOST_ERRORS)
    except GraphQLSyntaxError as error:
        code = "GQL_TOKENS" if "token" in error.message and str(MOST_TOKENS) in error.message else "GQL_SYNTAX"
        raise refused_all(code, [error]) from error
    except GraphQLError as error:
        raise refused_all("GQL_VALIDATION", [error]) from error
    except RecursionError as error:
        raise refused("GQL_DEPTH", f"fields are nested at most {MOST_DEPTH} deep") from error
    if errors:
        raise refused_all("GQL_VALIDATION", errors)
    return document


def _measure(document: Document) -> None:
    """Refuse what is too large, counted as it would be carried out: with every fragment in its place."""
    if len(document.fragments) > MOST_FRAGMENTS:
        raise refused("GQL_FRAGMENTS", f"a document has at most {MOST_FRAGMENTS} fragments")
    for operation in document.operations:
        roots = aliases = 0
        for fields, (field, depth) in enumerate(_walk(document, operation.selection_set, ()), 1):
            roots += depth == 1
            aliases += field.alias is not None
            if depth > MOST_DEPTH:
                raise refused("GQL_DEPTH", f"fields are nested at most {MOST_DEPTH} deep")
            if roots > MOST_ROOT_FIELDS:
                raise refused("GQL_ROOT_FIELDS", f"an operation has at most {MOST_ROOT_FIELDS} fields at its root")
            if aliases > MOST_ALIASES:
                raise refused("GQL_ALIASES", f"an operation has at most {MOST_ALIASES} aliases")
            if fields > _MOST_FIELDS:
                raise refused("GQL_FIELDS", f"an operation has at most {_MOST_FIELDS} fields, fragments expanded")


def _walk(
    document: Document, selections: SelectionSetNode, within: tuple[str, ...], depth: int = 1
) -> Iterator[tuple[FieldNode, int]]:
    """Yield each field with its depth; those below `__schema` and `__type` have depth 0: a rule of their own binds."""
    for selection in selections.selections:
        if isinstance(selection, FieldNode):
            yield selection, depth
            if selection.selection_set:
                is_told_by_schema = depth == 0 or selection.name.value.startswith("__")
                yield from _walk(document, selection.selection_set, within, 0 if is_told_by_schema else depth + 1)
        elif isinstance(selection, FragmentSpreadNode):
            name = selection.name.value
            if name in within:
                raise refused("GQL_FRAGMENTS", "a fragment holds itself")
            fragment = document.fragments.get(name)
            if fragment is not None:
                yield from _walk(document, fragment.selection_set, (*within, name), depth)
        elif isinstance(selection, InlineFragmentNode):
            yield from _walk(document, selection.selection_set, within, depth)
