"""The HTTP interface as one application, and its listener inside the running loop."""

import asyncio
import contextlib
import errno
import socket
import time
from collections.abc import Iterator
from typing import Final

import uvicorn
from litestar import Litestar
from litestar.exceptions import HTTPException
from litestar.openapi import OpenAPIConfig
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from bmn import __version__
from bmn.api.ports import ApiDeps
from bmn.api.problems import answer_bmn_error, answer_http_error, answer_unexpected
from bmn.api.routes import build_routes
from bmn.core.errors import BmnError, ConfigError
from bmn.observe import api as observe

MAX_BODY: Final = 65_536
"""Bytes of the largest request body."""
_STOP_WITHIN: Final = 5


def build_app(deps: ApiDeps) -> Litestar:
    """Return the application over `deps`; it holds nothing that must be closed."""
    return Litestar(
        route_handlers=build_routes(deps),
        exception_handlers={
            BmnError: answer_bmn_error,
            HTTPException: answer_http_error,
            Exception: answer_unexpected,
        },
        middleware=[timed],
        openapi_config=OpenAPIConfig(title="Bridge-Me-Not resolver", version=__version__, path="/schema"),
        request_max_body_size=MAX_BODY,
        logging_config=None,
        debug=False,
    )


async def run_api(app: Litestar, host: str, port: int, section: str = "api") -> None:
    """Serve `app` until cancelled, then finish the requests under way; `section` of bmn.toml says where it listens.

    Raises:
        ConfigError: PORT_IN_USE, or BAD_LISTENER when the address cannot be used at all.
    """
    listener = _listen(host, port, section)
    server = _Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_STOP_WITHIN,
        )
    )
    observe.listening(section, host, listener.getsockname()[1])
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(server.serve(sockets=[listener]), name="api")
        try:
            await asyncio.shield(serving)
        except asyncio.CancelledError:
            server.should_exit = True
            app.state.stopping = True  # for streams, which end by nothing else
            await serving
            raise


class _Server(uvicorn.Server):
    """A server that leaves signals to the process it runs in."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listen(host: str, port: int, section: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(
                "PORT_IN_USE",
                f"{host}:{port} is taken by another program",
                hint=f"stop it, or choose another port in [{section}] of bmn.toml",
            ) from error
        raise ConfigError(
            "BAD_LISTENER",
            f"cannot listen on {host}:{port}: {error.strerror}",
            hint=f"set host and port in [{section}] of bmn.toml",
        ) from error


def timed(app: ASGIApp) -> ASGIApp:
    """Time each request by the pattern of its route."""

    async def measure(scope: Scope, receive: Receive, send: Send) -> None:
        started, status = time.perf_counter(), 500

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await app(scope, receive, note)
        finally:
            route = scope.get("path_template") or "unknown"
            observe.request_answered(str(route), status, time.perf_counter() - started)

    return measure
