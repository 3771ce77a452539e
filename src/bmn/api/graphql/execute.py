"""Answers a request: its document and its plan are made once for each text, its rows come as JSON."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias

import msgspec

from bmn.api.graphql.cursors import encode_cursor
from bmn.api.graphql.document import Document, Recent, read_document
from bmn.api.graphql.kept import KeptAnswers
from bmn.api.graphql.plan import Ask, AskPage, AskRow, AskStatus, Given, Names, Plan, plan_operation
from bmn.api.graphql.refusals import RequestRefused
from bmn.api.graphql.schema import build_graphql_schema
from bmn.api.graphql.standing import Standings
from bmn.core.errors import BmnError, TimedOut
from bmn.observe import api as observe_api
from bmn.observe import graphql as observe
from bmn.pg.pool import Connection, Pool, connection
from bmn.seams import Clock
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


_Key: TypeAlias = tuple[str, str | None, bytes]
"""Query, operation and variables of a request."""


class Answerer:
    """Answers requests from one database."""

    def __init__(self, pool: Pool, standings: Standings, clock: Clock, *, seconds: float) -> None:
        """Allow each answer `seconds`."""
        self._pool = pool
        self._standings = standings
        self._seconds = seconds
        self._schema = build_graphql_schema()
        self._documents: Recent[str, Document] = Recent(_DOCUMENTS)
        self._plans: Recent[_Key, Plan] = Recent(_PLANS)
        self._kept: KeptAnswers[_Key] = KeptAnswers(clock)

    async def answer(self, request: GraphqlRequest) -> bytes:
        """Return the body of the answer; it never raises, whatever was sent."""
        try:
            async with asyncio.timeout(self._seconds):
                return await self._answer(request)
        except RequestRefused as refusal:
            observe.answered("refused")
            return encode_errors(refusal)
        except (TimeoutError, TimedOut):
            return _failed("GQL_TIMEOUT", f"the answer would have taken longer than {self._seconds:g} seconds")
        except BmnError as error:
            return _failed(error.code, error.detail)
        except Exception as error:  # noqa: BLE001 - the edge: what nobody expected is counted, and told as ours
            observe_api.request_failed(type(error).__name__)
            return _failed("INTERNAL", "the answer failed for a reason of ours")

    async def _answer(self, request: GraphqlRequest) -> bytes:
        variables = request.variables or {}
        key = (request.query, request.operation_name, msgspec.json.encode(variables, order="sorted"))
        make_plan = partial(self._make_plan, request, variables)
        is_small = len(key[2]) <= _LONGEST_KEY
        plan = self._plans.get(key, make_plan) if is_small else make_plan()
        standing = await self._standings.read()
        carry_out = partial(self._carry_out, plan, standing.chains)
        if is_small and all(isinstance(ask, AskRow | AskPage) for _, ask in plan):
            data, was_kept = await self._kept.get(key, standing.mark, carry_out)
        else:
            data, was_kept = await carry_out(), False
        observe.answered("kept" if was_kept else "database")
        return b'{"data":%b,"extensions":{"chains":%b}}' % (data, standing.chains)

    def _make_plan(self, request: GraphqlRequest, variables: Mapping[str, Any]) -> Plan:
        document = self._documents.get(request.query, partial(read_document, self._schema, request.query))
        return plan_operation(self._schema, document, request.operation_name, variables)

    async def _carry_out(self, plan: Plan, chains: msgspec.Raw) -> bytes:
        if all(isinstance(ask, Given | AskStatus) for _, ask in plan):
            return msgspec.json.encode({name: _told(ask, chains) for name, ask in plan})
        async with connection(self._pool) as conn:
            return msgspec.json.encode({name: await _asked(ask, chains, conn) for name, ask in plan})


def encode_errors(refusal: RequestRefused) -> bytes:
    """Return the body of an answer without data."""
    return msgspec.json.encode({"errors": refusal.errors})


def _failed(code: str, message: str) -> bytes:
    return msgspec.json.encode({"errors": [{"message": message, "extensions": {"code": code}}]})


async def _asked(ask: Ask, chains: msgspec.Raw, conn: Connection) -> Any:
    match ask:
        case AskRow():
            rows = await fetch_rows(conn, ask.rows)
            return _raw(rows[0].json) if rows else None
        case AskPage():
            return await _page(ask, conn)
        case _:
            return _told(ask, chains)


def _told(ask: Ask, chains: msgspec.Raw) -> Any:
    match ask:
        case AskStatus():
            return _named(ask.names, {"status": chains, "__typename": "Meta"})
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
