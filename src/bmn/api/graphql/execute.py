"""Answers a request: its document and its plan are made once for each text, its rows come as JSON."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import msgspec

from bmn.api.graphql.cursors import encode_cursor
from bmn.api.graphql.document import Document, Recent, read_document
from bmn.api.graphql.plan import Ask, AskPage, AskRow, AskStatus, Given, Names, Plan, plan_operation
from bmn.api.graphql.refusals import RequestRefused
from bmn.api.graphql.schema import build_graphql_schema
from bmn.api.graphql.standing import Standings
from bmn.core.errors import BmnError, TimedOut
from bmn.observe import api as observe
from bmn.pg.pool import Connection, Pool, connection
from bmn.store.lists import fetch_count, fetch_rows

_DOCUMENTS: Final = 500
_PLANS: Final = 500
_LONGEST_KEY: Final = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphqlRequest:
    """A request as clients send it."""

    query: str
    operation_name: str | None = None
    variables: Mapping[str, Any] | None = None


class Answerer:
    """Answers requests from one database."""

    def __init__(self, pool: Pool, standings: Standings, *, seconds: float) -> None:
        """Allow each answer `seconds`."""
        self._pool = pool
        self._standings = standings
        self._seconds = seconds
        self._schema = build_graphql_schema()
        self._documents: Recent[str, Document] = Recent(_DOCUMENTS)
        self._plans: Recent[tuple[str, str | None, bytes], Plan] = Recent(_PLANS)

    async def answer(self, request: GraphqlRequest) -> bytes:
        """Return the body of the answer; it never raises, whatever was sent."""
        try:
            async with asyncio.timeout(self._seconds):
                plan = self._plan(request)
                standing = await self._standings.read()
                data = await self._carry_out(plan, standing)
        except RequestRefused as refusal:
            return encode_errors(refusal)
        except (TimeoutError, TimedOut):
            return _failed("GQL_TIMEOUT", f"the answer would have taken longer than {self._seconds:g} seconds")
        except BmnError as error:
            return _failed(error.code, error.detail)
        except Exception as error:  # noqa: BLE001 - the edge: what nobody expected is counted, and told as ours
            observe.request_failed(type(error).__name__)
            return _failed("INTERNAL", "the answer failed for a reason of ours")
        return msgspec.json.encode({"data": data, "extensions": {"chains": standing}})

    def _plan(self, request: GraphqlRequest) -> Plan:
        variables = request.variables or {}
        key = msgspec.json.encode(variables, order="sorted")
        make = partial(self._make_plan, request, variables)
        if len(key) > _LONGEST_KEY:
            return make()
        return self._plans.get((request.query, request.operation_name, key), make)

    def _make_plan(self, request: GraphqlRequest, variables: Mapping[str, Any]) -> Plan:
        document = self._documents.get(request.query, partial(read_document, self._schema, request.query))
        return plan_operation(self._schema, document, request.operation_name, variables)

    async def _carry_out(self, plan: Plan, standing: msgspec.Raw) -> dict[str, Any]:
        if all(isinstance(ask, Given | AskStatus) for _, ask in plan):
            return {name: _told(ask, standing) for name, ask in plan}
        async with connection(self._pool) as conn:
            return {name: await _asked(ask, standing, conn) for name, ask in plan}


def encode_errors(refusal: RequestRefused) -> bytes:
    """Return the body of an answer without data."""
    return msgspec.json.encode({"errors": refusal.errors})


def _failed(code: str, message: str) -> bytes:
    return msgspec.json.encode({"errors": [{"message": message, "extensions": {"code": code}}]})


async def _asked(ask: Ask, standing: msgspec.Raw, conn: Connection) -> Any:
    match ask:
        case AskRow():
            rows = await fetch_rows(conn, ask.rows)
            return _raw(rows[0].json) if rows else None
        case AskPage():
            return await _page(ask, conn)
        case _:
            return _told(ask, standing)


def _told(ask: Ask, standing: msgspec.Raw) -> Any:
    match ask:
        case AskStatus():
            return _named(ask.names, {"status": standing, "__typename": "Meta"})
        case Given():
            return ask.value
        case _:
            raise AssertionError(ask)


async def _page(ask: AskPage, conn: Connection) -> dict[str, Any]:
    found: dict[str, Any] = {"__typename": ask.page_type}
    if ask.count is not None:
        found["totalCount"] = await fetch_count(conn, ask.count)
    if ask.rows is None:
        return _named(ask.names, found)
    rows = await fetch_rows(conn, ask.rows)
    has_begun = ask.has_before
    if ask.after is not None and rows and rows[0].place.id == ask.after.id:
        del rows[0]
        has_begun = True
    goes_on = len(rows) > ask.limit
    del rows[ask.limit :]
    if ask.is_reversed:
        rows.reverse()
        has_begun, goes_on = goes_on, has_begun
    found["items"] = _raw("[" + ",".join([row.json for row in rows]) + "]")
    found["pageInfo"] = _named(
        ask.page_names,
        {
            "hasNextPage": goes_on,
            "hasPreviousPage": has_begun,
            "startCursor": encode_cursor(ask.order, rows[0].place) if rows else None,
            "endCursor": encode_cursor(ask.order, rows[-1].place) if rows else None,
            "__typename": "PageInfo",
        },
    )
    return _named(ask.names, found)


def _named(names: Names, found: Mapping[str, Any]) -> dict[str, Any]:
    return {name: found[field] for name, field in names}


def _raw(json: str) -> msgspec.Raw:
    return msgspec.Raw(json.encode())
