"""GraphQL over HTTP, as an ASGI application that serves it on whatever path it is given."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs

import msgspec
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from bmn.api.graphql.execute import Answerer, GraphqlRequest, encode_errors
from bmn.api.graphql.page import PAGE, PAGE_POLICY
from bmn.api.graphql.refusals import RequestRefused, refused
from bmn.api.graphql.standing import Standings
from bmn.pg.pool import Pool
from bmn.seams import Clock

MOST_BYTES: Final = 262_144
"""Of a body."""
MOST_QUERY_BYTES: Final = 8_192
"""Of the part of an address behind `?`."""

_JSON: Final = ((b"content-type", b"application/json"), (b"cache-control", b"no-store"))
# What a chain knows is public: any page may ask, none with somebody's credentials.
_OPEN: Final = ((b"access-control-allow-origin", b"*"),)
_PREFLIGHT: Final = (
    (b"access-control-allow-methods", b"GET, POST"),
    (b"access-control-allow-headers", b"content-type"),
    (b"access-control-max-age", b"86400"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphqlDeps:
    """What the application stands on."""

    pool: Pool
    standings: Standings
    clock: Clock
    seconds: float = 2.0
    """The longest time of one answer."""


class _Body(msgspec.Struct, frozen=True, rename="camel"):
    query: str
    operation_name: str | None = None
    variables: dict[str, Any] | None = None


class _Unfit(Exception):
    """The request is not one of GraphQL: `status` says why."""

    def __init__(self, status: int, refusal: RequestRefused) -> None:
        super().__init__(status)
        self.status = status
        self.refusal = refusal


_read_body = msgspec.json.Decoder(_Body).decode
_read_variables = msgspec.json.Decoder(dict[str, Any] | None).decode


def build_graphql_app(deps: GraphqlDeps) -> ASGIApp:
    """Return the application: POST with a JSON body, GET with `?query=`, GET without it for a page to try queries on.

    Whatever a query is answered with has status 200, its errors too; see `docs/indexer-api.md` for their codes.
    """
    answerer = Answerer(deps.pool, deps.standings, deps.clock, seconds=deps.seconds)

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            raise RuntimeError("only HTTP is served here")
        try:
            match scope["method"]:
                case "POST":
                    body = await answerer.answer(await _posted(scope, receive))
                case "GET" | "HEAD":
                    request = _in_address(scope)
                    if request is None:
                        await _send(send, 200, PAGE, PAGE_POLICY)
                        return
                    body = await answerer.answer(request)
                case "OPTIONS":
                    await _send(send, 204, b"", _PREFLIGHT)
                    return
                case _:
                    raise _Unfit(405, refused("GQL_TRANSPORT", "send a query by POST or GET"))
        except _Unfit as unfit:
            await _send(send, unfit.status, encode_errors(unfit.refusal), _JSON)
            return
        await _send(send, 200, body, _JSON)

    return serve


async def _posted(scope: HTTPScope, receive: Receive) -> GraphqlRequest:
    kind = dict(scope["headers"]).get(b"content-type", b"").split(b";")[0].strip().lower()
    if kind != b"application/json":
        raise _Unfit(415, refused("GQL_TRANSPORT", "the body must be application/json"))
    sent, more = b"", True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise _Unfit(400, refused("GQL_TRANSPORT", "the request ended before its body"))
        sent, more = sent + message["body"], message["more_body"]
        if len(sent) > MOST_BYTES:
            raise _Unfit(413, refused("GQL_TOO_LONG", f"a body has at most {MOST_BYTES} bytes"))
    try:
        body = _read_body(sent)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        text = "the body must be an object with query, and if wanted operationName and variables"
        raise _Unfit(400, refused("GQL_BODY", text)) from error
    return GraphqlRequest(query=body.query, operation_name=body.operation_name, variables=body.variables)


def _in_address(scope: HTTPScope) -> GraphqlRequest | None:
    """Return the request that stands in the address; None: there is no query in it."""
    if len(scope["query_string"]) > MOST_QUERY_BYTES:
        raise _Unfit(414, refused("GQL_TOO_LONG", f"an address has at most {MOST_QUERY_BYTES} bytes; use POST"))
    try:
        found: Mapping[str, list[str]] = parse_qs(scope["query_string"].decode(), max_num_fields=10)
        if "query" not in found:
            return None
        variables = _read_variables(found["variables"][0]) if "variables" in found else None
    except (ValueError, msgspec.DecodeError, RecursionError) as error:
        raise _Unfit(400, refused("GQL_BODY", "variables must be a JSON object")) from error
    return GraphqlRequest(
        query=found["query"][0],
        operation_name=found["operationName"][0] if "operationName" in found else None,
        variables=variables,
    )


async def _send(send: Send, status: int, body: bytes, headers: Sequence[tuple[bytes, bytes]]) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *_OPEN, length]})
    await send({"type": "http.response.body", "body": body, "more_body": False})
