"""Events of swaps. A hashlock is in the log line, never in a label."""

import structlog
from prometheus_client import Counter

_log = structlog.get_logger("bmn.swap")

_STATES = Counter("bmn_swap_states_total", "Swaps that reached a state.", ["state"])
_STUCK = Counter(
    "bmn_swaps_stuck_total", "Times a swap could not be decided and a person is needed, by code.", ["code"]
)
_REFUSED = Counter("bmn_orders_refused_total", "Orders turned down, by code.", ["code"])


def order_accepted(hashlock: str, order_hash: str) -> None:
    """An order became a swap."""
    _STATES.labels("ACCEPTED").inc()
    _log.info("order_accepted", hashlock=hashlock, order_hash=order_hash)


def order_refused(code: str, detail: str) -> None:
    """An order was turned down."""
    _REFUSED.labels(code).inc()
    _log.info("order_refused", code=code, detail=detail)


def swap_advanced(hashlock: str, before: str, after: str, reason: str, *, needs_person: bool) -> None:
    """A swap moved."""
    _STATES.labels(after).inc()
    log = _log.error if needs_person else _log.info
    log("swap_advanced", hashlock=hashlock, before=before, after=after, reason=reason)


def secret_taken(hashlock: str) -> None:
    """A maker handed over a secret; its value is nowhere in clear."""
    _log.info("secret_taken", hashlock=hashlock)


def swap_stuck(hashlock: str, code: str, attempts: int) -> None:
    """A swap cannot be decided; it is tried on, but a person has to look."""
    _STUCK.labels(code).inc()
    _log.critical("swap_stuck", hashlock=hashlock, code=code, attempts=attempts)
