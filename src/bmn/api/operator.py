"""The operator's interface: a listener of its own, on which every route asks for the token."""

import hashlib
import hmac
from collections.abc import Sequence
from typing import Any

from litestar import Litestar
from litestar.connection import ASGIConnection
from litestar.exceptions import HTTPException, NotAuthorizedException
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.types import Guard

from bmn.api.problems import answer_bmn_error, answer_http_error, answer_unexpected
from bmn.api.server import MAX_BODY, timed
from bmn.core.errors import BmnError


def build_operator_app(token: str, routes: Sequence[HTTPRouteHandler]) -> Litestar:
    """Return the application over `routes`, for who sends `Authorization: Bearer TOKEN`."""
    return Litestar(
        route_handlers=routes,
        guards=[_asks_for(token)],
        exception_handlers={
            BmnError: answer_bmn_error,
            HTTPException: answer_http_error,
            Exception: answer_unexpected,
        },
        middleware=[timed],
        openapi_config=None,
        request_max_body_size=MAX_BODY,
        logging_config=None,
        debug=False,
    )


def _asks_for(token: str) -> Guard:
    wanted = _digest(token)

    def check(connection: ASGIConnection[Any, Any, Any, Any], _route: BaseRouteHandler) -> None:
        scheme, _, given = connection.headers.get("authorization", "").partition(" ")
        # Digests have one length, and are compared in a time that does not tell how much is right.
        if scheme.lower() != "bearer" or not hmac.compare_digest(_digest(given.strip()), wanted):
            raise NotAuthorizedException(headers={"WWW-Authenticate": "Bearer"})

    return check


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
