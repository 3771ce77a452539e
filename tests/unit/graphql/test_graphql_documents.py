"""Which documents are read, and which are refused before anything is asked of a database."""

from functools import partial
from pathlib import Path

import pytest
from graphql import build_client_schema, get_introspection_query, print_schema

from bmn.api.graphql.document import Recent, read_document
from bmn.api.graphql.plan import Given, plan_operation
from bmn.api.graphql.refusals import RequestRefused, refused
from bmn.api.graphql.schema import build_graphql_schema, print_sdl
from bmn.store.published import TABLES

SCHEMA = build_graphql_schema()
PUBLISHED = Path(__file__).parents[3] / "docs" / "indexer.graphql"


def outcome(text: str, **variables: object) -> str:
    """Return `ok`, or the code of the refusal."""
    try:
        plan_operation(SCHEMA, read_document(SCHEMA, text), None, variables)
    except RequestRefused as refusal:
        return str(refusal.errors[0]["extensions"]["code"])
    return "ok"


def rows(count: int, fields: str = "id") -> str:
    return f"{{ srcEscrows(limit: {count}) {{ items {{ {fields} }} }} }}"


def test_at_most_twenty_aliases_also_when_fragments_hide_them() -> None:
    def aliased(count: int) -> str:
        return " ".join(f"a{n}: id" for n in range(count))

    assert outcome(rows(1, aliased(20))) == "ok"
    assert outcome(rows(1, aliased(21))) == "GQL_ALIASES"
    twice = "{ srcEscrows { items { ...a } } dstEscrows { totalCount } x: srcEscrows { items { ...a } } }"
    fragment = " fragment a on srcEscrow { COUNT }"
    assert outcome(twice + fragment.replace("COUNT", aliased(9))) == "ok"
    assert outcome(twice + fragment.replace("COUNT", aliased(10))) == "GQL_ALIASES"


def test_an_alias_is_as_long_as_the_database_keeps_it() -> None:
    assert outcome(rows(1, f"{'a' * 63}: id")) == "ok"
    assert outcome(rows(1, f"{'a' * 64}: id")) == "GQL_ALIASES"


def test_at_most_ten_fields_at_the_root() -> None:
    def several(count: int) -> str:
        return "{" + " ".join(f"a{n}: _meta {{ status }}" for n in range(count)) + "}"

    assert outcome(several(10)) == "ok"
    assert outcome(several(11)) == "GQL_ROOT_FIELDS"


def test_at_most_two_thousand_tokens() -> None:
    def tokens(count: int) -> str:
        return "{ srcEscrows(where: {OR: [" + "{} " * ((count - 16) // 2) + "]}) { totalCount } }"

    assert outcome(tokens(2000)) == "ok"
    assert outcome(tokens(2002)) == "GQL_TOKENS"


def test_at_most_sixteen_kibibytes() -> None:
    assert outcome("{ __typename }" + " " * (16_384 - 14)) == "ok"
    assert outcome("{ __typename }" + " " * (16_384 - 13)) == "GQL_TOO_LONG"


def test_at_most_twenty_fragments() -> None:
    def fragments(count: int) -> str:
        spreads = " ".join(f"...f{n}" for n in range(count))
        return f"{{ _meta {{ {spreads} }} }}" + " ".join(f"fragment f{n} on Meta {{ status }}" for n in range(count))

    assert outcome(fragments(20)) == "ok"
    assert outcome(fragments(21)) == "GQL_FRAGMENTS"


def test_fragments_that_hold_each_other_are_refused() -> None:
    cycle = "{ _meta { ...a } } fragment a on Meta { status ...b } fragment b on Meta { ...a }"
    assert outcome(cycle) == "GQL_FRAGMENTS"
    deep = "{ ...a } fragment a on Query { srcEscrows { items { ...a } } }"
    assert outcome(deep) == "GQL_FRAGMENTS"


def test_fragments_that_double_are_refused_early() -> None:
    bomb = "{ _meta { ...f0 } }" + "".join(f"fragment f{n} on Meta {{ ...f{n + 1} ...f{n + 1} }}" for n in range(19))
    assert outcome(bomb + "fragment f19 on Meta { status }") == "GQL_FIELDS"
    assert outcome(bomb + "fragment f19 on Meta { }") == "GQL_SYNTAX"


def test_nothing_is_nested_so_deep_that_reading_it_fails() -> None:
    assert outcome("{" + "a{" * 9 + "b" + "}" * 10) == "GQL_DEPTH"
    assert outcome("{" + "a{" * 900 + "b" + "}" * 901) == "GQL_SYNTAX"


def test_at_most_fifty_thousand_cells() -> None:
    assert outcome(rows(1000, "id chainId taker hashlock level")) == "ok"
    lists = " ".join(
        f"l{n}: srcEscrows(limit: 1000) {{ items {{ id chainId maker taker status }} }}" for n in range(10)
    )
    assert outcome(f"{{ {lists} }}") == "ok"
    assert outcome(f"{{ {lists.replace('status', 'status hashlock', 1)} }}") == "GQL_COST"


def test_a_filter_has_bounds() -> None:
    query = "query ($w: srcEscrowFilter) { srcEscrows(where: $w) { totalCount } }"
    assert outcome(query, w={"OR": [{"id": "x"}] * 200}) == "ok"
    assert outcome(query, w={"OR": [{"id": "x"}] * 201}) == "GQL_COST"
    assert outcome(query, w={"id_in": ["x"] * 1000}) == "ok"
    assert outcome(query, w={"id_in": ["x"] * 1001}) == "GQL_COST"
    nested: dict[str, object] = {"id": "x"}
    for _ in range(2000):
        nested = {"AND": [nested]}
    assert outcome(query, w=nested) in {"GQL_VARIABLES", "GQL_COST"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "GQL_SYNTAX"),
        ("{", "GQL_SYNTAX"),
        ("{ nothing }", "GQL_VALIDATION"),
        ("{ srcEscrows }", "GQL_VALIDATION"),
        ("mutation { a }", "GQL_VALIDATION"),
        ("query A { __typename } query B { __typename }", "GQL_OPERATION"),
        ("fragment a on Meta { status }", "GQL_VALIDATION"),
        ("query ($n: Int!) { srcEscrows(limit: $n) { totalCount } }", "GQL_VARIABLES"),
        ('{ srcEscrows(limit: "1") { totalCount } }', "GQL_VALIDATION"),
        ('{ srcEscrows(where: {srcAmount: "0x1"}) { totalCount } }', "GQL_VALIDATION"),
    ],
)
def test_what_is_wrong_with_a_document_has_a_code(text: str, expected: str) -> None:
    assert outcome(text) == expected


def test_a_client_that_reads_the_schema_gets_all_of_it() -> None:
    plan = plan_operation(SCHEMA, read_document(SCHEMA, get_introspection_query()), None, {})
    ((name, told),) = plan
    assert name == "__schema"
    assert isinstance(told, Given)
    assert print_schema(build_client_schema({"__schema": told.value})).replace('"""', "").count("Page {") == len(TABLES)


def test_the_schema_is_the_one_that_was_published() -> None:
    """A change is one that clients see: write the file again with `print_sdl` only when that is meant."""
    assert PUBLISHED.read_text(encoding="utf-8") == print_sdl()


def test_documents_are_kept_and_so_are_refusals_but_not_for_ever() -> None:
    made: list[str] = []

    def make(key: str) -> str:
        made.append(key)
        if key == "bad":
            raise refused("CODE", "text")
        return key.upper()

    recent: Recent[str, str] = Recent(2)
    assert [recent.get(key, partial(make, key)) for key in ("a", "b", "a")] == ["A", "B", "A"]
    for _ in range(2):
        with pytest.raises(RequestRefused):
            recent.get("bad", lambda: make("bad"))
    recent.get("a", lambda: make("a"))
    recent.get("b", lambda: make("b"))
    assert made == ["a", "b", "bad", "b"]
