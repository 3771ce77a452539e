"""GraphQL over HTTP: what is taken, what is refused, and that nothing that is sent is our mistake."""

import asyncio
import contextlib
import re
import socket

import aiohttp
import msgspec
import pytest
import uvicorn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from litestar import Litestar, asgi
from litestar.types import ASGIApp
from tests.support.graphql_rig import address, graphql_app, request, save_heads, save_src_escrows

from bmn.pg.pool import Pool


@pytest.fixture
async def app(store: Pool) -> ASGIApp:
    await save_heads(store)
    return graphql_app(store)


def code_of(body: bytes) -> str:
    return str(msgspec.json.decode(body)["errors"][0]["extensions"]["code"])


async def test_a_query_in_the_address_is_answered(app: ASGIApp) -> None:
    query = "query Q($n: Int) { srcEscrows(limit: $n) { totalCount } } query R { __typename }"
    asked = address(query=query, variables='{"n": 1}', operationName="Q")
    status, headers, body = await request(app, "GET", query_string=asked)
    assert (status, headers["content-type"]) == (200, "application/json")
    assert msgspec.json.decode(body)["data"] == {"srcEscrows": {"totalCount": 0}}


async def test_without_a_query_there_is_a_page_that_needs_no_other_host(app: ASGIApp) -> None:
    status, headers, body = await request(app, "GET")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert not re.search(rb"https?://|//\w+\.", body)
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize(
    ("method", "body", "content_type", "status", "code"),
    [
        ("POST", b"{}", b"application/json", 400, "GQL_BODY"),
        ("POST", b"[]", b"application/json", 400, "GQL_BODY"),
        ("POST", b'[{"query": "{ __typename }"}]', b"application/json", 400, "GQL_BODY"),
        ("POST", b'{"query": 1}', b"application/json", 400, "GQL_BODY"),
        ("POST", b'{"query": "\xff"}', b"application/json", 400, "GQL_BODY"),
        ("POST", b'{"query": "\\ud800"}', b"application/json", 400, "GQL_BODY"),
        ("POST", b"[" * 200_000, b"application/json", 400, "GQL_BODY"),
        ("POST", b'{"query": "a", "variables": ' + b'{"a":' * 40_000, b"application/json", 400, "GQL_BODY"),
        ("POST", b'{"query": "{ __typename }"}' + b" " * 262_144, b"application/json", 413, "GQL_TOO_LONG"),
        ("POST", b'{"query": "{ __typename }"}', b"text/plain", 415, "GQL_TRANSPORT"),
        ("PUT", b"", b"application/json", 405, "GQL_TRANSPORT"),
        ("POST", b'{"query": "{"}', b"application/json", 200, "GQL_SYNTAX"),
        ("POST", b'{"query": "subscription { a }"}', b"application/json", 200, "GQL_VALIDATION"),
    ],
)
async def test_what_is_not_a_request_has_a_status_and_a_code(
    app: ASGIApp, method: str, body: bytes, content_type: bytes, status: int, code: str
) -> None:
    got, _, answer = await request(app, method, body=body, content_type=content_type)
    assert (got, code_of(answer)) == (status, code)


async def test_variables_in_the_address_must_be_an_object(app: ASGIApp) -> None:
    for variables in ("[]", "{", "[" * 2000):
        got, _, body = await request(app, "GET", query_string=address(query="{ __typename }", variables=variables))
        assert (got, code_of(body)) == (400, "GQL_BODY")


async def test_any_page_may_ask_and_is_told_so_beforehand(app: ASGIApp) -> None:
    status, headers, _ = await request(app, "OPTIONS")
    assert (status, headers["access-control-allow-origin"]) == (204, "*")
    assert headers["access-control-allow-headers"] == "content-type"


SCRAPS = st.sampled_from([
    *("{", "}", "(", ")", "[", "]", ":", "$", "...", "@skip(if: true)", "!", '"', '"""', "\\u0000", "\ud800", "#"),
    *("srcEscrows", "atomicSwap", "where", "limit", "items", "id", "OR", "null", "-1", "99999999999999999999", "1e9"),
    *("__schema", "__type", "_meta", "query", "subscription", "fragment", "on", "srcEscrow", "after", "status_in"),
])  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.lists(SCRAPS, max_size=12).map(" ".join) | st.text(max_size=30),
    variables=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    ),
)
async def test_nothing_that_is_sent_is_our_mistake(app: ASGIApp, text: str, variables: object) -> None:
    wheres = "query ($w: srcEscrowFilter, $n: Int) { srcEscrows(where: $w, limit: $n) { items { id } totalCount } }"
    for query in (text, wheres):
        with contextlib.suppress(UnicodeEncodeError):
            body = msgspec.json.encode({"query": query, "variables": {"w": variables, "n": variables}})
            status, _, answer = await request(app, "POST", body=body)
            assert status in {200, 400}
            assert b"INTERNAL" not in answer, answer


async def test_it_is_served_beside_other_routes_to_many_at_once(app: ASGIApp, store: Pool) -> None:
    await save_src_escrows(store, 60)
    beside = Litestar(route_handlers=[asgi(["/", "/graphql"], copy_scope=True)(app)], logging_config=None)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(beside, log_config=None))
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(server.serve(sockets=[listener]))
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            query = "{ srcEscrows(limit: 60) { items { id status } totalCount } }"
            async with aiohttp.ClientSession() as session:

                async def once(path: str) -> int:
                    async with session.post(url + path, json={"query": query}) as answer:
                        found = await answer.json()
                        return len(found["data"]["srcEscrows"]["items"])

                assert await asyncio.gather(*(once(path) for path in ("/", "/graphql") * 20)) == [60] * 40
                async with session.get(url + "/nothing") as answer:
                    assert answer.status == 404
            server.should_exit = True
            await serving
