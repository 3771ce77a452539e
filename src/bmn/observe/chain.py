"""Events of chain access: endpoints, heads, quorum. Labels are names from the configuration, never a URL or a hash."""

import structlog
from prometheus_client import Counter, Gauge, Histogram

_log = structlog.get_logger("bmn.chain")

_RPC_SECONDS = Histogram(
    "bmn_rpc_seconds",
    "Time of one JSON-RPC request.",
    ["chain", "endpoint", "method"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
_RPC_FAILURES = Counter(
    "bmn_rpc_failures_total", "JSON-RPC requests that failed, by code.", ["chain", "endpoint", "code"]
)
_DISAGREEMENTS = Counter(
    "bmn_rpc_disagreements_total", "Safety reads in which an endpoint differed from the quorum.", ["chain", "endpoint"]
)
_RESTS = Counter(
    "bmn_rpc_rests_total", "Times an endpoint began to rest after a fault, by code.", ["chain", "endpoint", "code"]
)
_SWITCHES = Counter("bmn_rpc_switches_total", "Times another endpoint took over the newest blocks.", ["chain"])
_HEDGES = Counter("bmn_rpc_hedges_total", "Requests sent beside a slow one, by who got them.", ["chain", "endpoint"])
_QUORUM_MISSING = Counter("bmn_rpc_quorum_missing_total", "Safety reads without a quorum of equal answers.", ["chain"])
_HEAD = Gauge("bmn_chain_head_number", "Height of the newest block seen.", ["chain"])
_HEAD_TIME = Gauge("bmn_chain_head_timestamp_seconds", "Chain time of the newest block seen.", ["chain"])
_STALLS = Counter("bmn_chain_head_stalls_total", "Times no new head came for several block times.", ["chain"])
_SOCKETS = Counter("bmn_chain_socket_drops_total", "WebSocket connections lost or refused.", ["chain", "endpoint"])


def rpc_answered(chain: str, endpoint: str, method: str, seconds: float) -> None:
    """An endpoint answered, well or badly."""
    _RPC_SECONDS.labels(chain, endpoint, method).observe(seconds)


def rpc_failed(chain: str, endpoint: str, method: str, code: str) -> None:
    """A request to an endpoint failed with one of our codes."""
    _RPC_FAILURES.labels(chain, endpoint, code).inc()
    _log.debug("rpc_failed", chain=chain, endpoint=endpoint, method=method, code=code)


def endpoint_disagreed(chain: str, endpoint: str) -> None:
    """An endpoint gave another answer than the quorum."""
    _DISAGREEMENTS.labels(chain, endpoint).inc()
    _log.warning("endpoint_disagreed", chain=chain, endpoint=endpoint)


def quorum_missing(chain: str, detail: str) -> None:
    """A safety read found no quorum of equal answers."""
    _QUORUM_MISSING.labels(chain).inc()
    _log.warning("quorum_missing", chain=chain, detail=detail)


def endpoint_rested(chain: str, endpoint: str, seconds: float, code: str) -> None:
    """An endpoint failed and is asked last for a while."""
    _RESTS.labels(chain, endpoint, code).inc()
    _log.warning("endpoint_rested", chain=chain, endpoint=endpoint, seconds=round(seconds, 1), code=code)


def endpoint_switched(chain: str, before: str, after: str) -> None:
    """Another endpoint answers for the newest blocks."""
    _SWITCHES.labels(chain).inc()
    _log.info("endpoint_switched", chain=chain, before=before, after=after)


def request_hedged(chain: str, endpoint: str) -> None:
    """An endpoint was asked beside a slow one."""
    _HEDGES.labels(chain, endpoint).inc()


def reports_not_kept(code: str) -> None:
    """What we know of our endpoints could not be kept for people to see; it will be soon."""
    _log.debug("endpoint_reports_not_kept", code=code)


def head_seen(chain: str, number: int, timestamp: int) -> None:
    """A new head was handed on."""
    _HEAD.labels(chain).set(number)
    _HEAD_TIME.labels(chain).set(timestamp)


def heads_stalled(chain: str, seconds: float) -> None:
    """No new head for several block times; polling starts."""
    _STALLS.labels(chain).inc()
    _log.warning("heads_stalled", chain=chain, seconds=round(seconds, 1))


def socket_dropped(chain: str, endpoint: str, reason: str) -> None:
    """A WebSocket connection ended or could not be opened."""
    _SOCKETS.labels(chain, endpoint).inc()
    _log.info("socket_dropped", chain=chain, endpoint=endpoint, reason=reason)
