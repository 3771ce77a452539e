"""Events of the HTTP interface. Never a body, a hash or a path with one: secrets come in here."""

import structlog
from prometheus_client import Counter, Histogram

_log = structlog.get_logger("bmn.api")

_SECONDS = Histogram(
    "bmn_api_seconds",
    "Time of one HTTP request.",
    ["route", "status"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
_FAILURES = Counter("bmn_api_failures_total", "Requests that failed for a reason of ours, by kind.", ["kind"])


def request_answered(route: str, status: int, seconds: float) -> None:
    """A request was answered; `route` is the pattern, not the path."""
    _SECONDS.labels(route, str(status)).observe(seconds)


def request_failed(kind: str) -> None:
    """A request met an error nobody expected; `kind` is its class. Its text stays unlogged: it may quote a body."""
    _FAILURES.labels(kind).inc()
    _log.error("request_failed", kind=kind)


def operator_acted(action: str, count: int) -> None:
    """The operator changed `count` things."""
    _log.warning("operator_acted", action=action, count=count)


def operator_listener_off() -> None:
    """There is no token, so the operator's listener is not opened."""
    _log.info("operator_listener_off", hint="set operator_token_file in [api] of bmn.toml")


def listening(section: str, host: str, port: int) -> None:
    """The listener of a section of bmn.toml is open."""
    _log.info("listening", section=section, host=host, port=port)
