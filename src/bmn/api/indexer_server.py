"""The indexer's listener: GraphQL on the paths of Ponder, and how far it is, for people, balancers and Prometheus."""

from collections.abc import Awaitable, Callable, Sequence

import msgspec
from litestar import Litestar, Response, asgi, get
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp
from prometheus_client import generate_latest

from bmn.api.graphql.standing import Standings
from bmn.api.problems import answer_bmn_error, answer_http_error, answer_unexpected
from bmn.api.server import timed
from bmn.core.errors import BmnError

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def build_indexer_app(
    graphql: ASGIApp, standings: Standings, find_missing: Callable[[], Awaitable[Sequence[str]]]
) -> Litestar:
    """Return the application; `find_missing` says of each chain that is not at its head what is missing."""

    @get("/health")
    async def show_health() -> dict[str, str]:
        """Answer 200 while the process runs, however far it is."""
        return {"status": "ok"}

    @get("/ready")
    async def show_ready() -> Response[dict[str, object]]:
        missing = await find_missing()
        if missing:
            return Response({"status": "not ready", "missing": missing}, status_code=503)
        return Response({"status": "ready"})

    @get("/status", media_type="application/json")
    async def show_status() -> bytes:
        return bytes(msgspec.json.encode((await standings.read()).chains))

    @get("/metrics", media_type=METRICS_TYPE)
    async def show_metrics() -> bytes:
        return generate_latest()

    return Litestar(
        route_handlers=[
            show_health,
            show_ready,
            show_status,
            show_metrics,
            asgi(["/", "/graphql"], copy_scope=True)(graphql),
        ],
        exception_handlers={
            BmnError: answer_bmn_error,
            HTTPException: answer_http_error,
            Exception: answer_unexpected,
        },
        middleware=[timed],
        openapi_config=None,
        logging_config=None,
        debug=False,
    )
