"""Events of the PostgreSQL engine: server, queue, leases. Labels are queue names and error codes, nothing else."""

import structlog
from prometheus_client import Counter

_log = structlog.get_logger("bmn.engine")

_FAILED = Counter("bmn_message_failures_total", "Messages whose handling failed, by code.", ["queue", "kind", "code"])


def database_lost() -> None:
    """Our embedded server closed the connection that watches it."""
    _log.warning("database_lost")


def database_not_revived(detail: str) -> None:
    """Our embedded server could not be started again; it is tried again soon."""
    _log.error("database_not_revived", detail=detail)


def database_not_watched(kind: str) -> None:
    """The connection that watches our embedded server could not be opened; it is tried again soon."""
    _log.warning("database_not_watched", kind=kind)


def lease_acquired(name: str, token: int) -> None:
    """This process owns `name` now."""
    _log.info("lease_acquired", lease=name, token=token)


def lease_lost(name: str, token: int) -> None:
    """Somebody else owns `name` now, or we could not renew in time; what we were writing was refused."""
    _log.warning("lease_lost", lease=name, token=token)


def worker_waits(code: str) -> None:
    """A worker could not ask for work and waits."""
    _log.warning("worker_waits", code=code)


def message_failed(queue: str, kind: str, code: str, attempts: int, error: Exception) -> None:
    """Handling a message failed; it is tried again or parked."""
    _FAILED.labels(queue, kind, code).inc()
    _log.warning("message_failed", queue=queue, kind=kind, code=code, attempts=attempts, exc_info=error)
