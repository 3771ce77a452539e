"""Events of the PostgreSQL engine: server, queue, leases. Labels are queue names and error codes, nothing else."""

from collections.abc import Mapping

import structlog
from prometheus_client import Counter, Gauge, Histogram

_log = structlog.get_logger("bmn.engine")

_FAILED = Counter("bmn_message_failures_total", "Messages whose handling failed, by code.", ["queue", "kind", "code"])
_SECONDS = Histogram(
    "bmn_message_seconds",
    "Time from the start of a handler to its commit.",
    ["queue", "kind"],
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
_DEAD = Counter("bmn_messages_dead_total", "Messages given up, by code.", ["queue", "kind", "code"])
_DEPTH = Gauge("bmn_queue_depth", "Messages on a queue, by state.", ["queue", "state"])
_OLDEST = Gauge("bmn_queue_oldest_seconds", "How long the oldest message that is due has waited.", ["queue"])
_LOST = Counter(
    "bmn_message_leases_lost_total", "Messages lost to another worker while being handled.", ["queue", "kind"]
)
_SWEPT = Counter("bmn_messages_swept_total", "Messages taken back from workers that died or hung.", ["queue", "kind"])
_FENCED = Counter("bmn_fenced_writes_total", "Writes refused because a newer owner holds the lease.")


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


def message_died(queue: str, kind: str, code: str, attempts: int, message_id: int) -> None:
    """A message was given up: a person has to look (`bmn queue dead show ID`). Once for each dead message."""
    _DEAD.labels(queue, kind, code).inc()
    _log.critical("message_died", queue=queue, kind=kind, code=code, attempts=attempts, id=message_id)


def message_swept(queue: str, kind: str, attempts: int, message_id: int) -> None:
    """The worker of a message died or hung, and the message is handed out again; the third time is no accident."""
    _SWEPT.labels(queue, kind).inc()
    tell = _log.warning if attempts < 3 else _log.critical
    tell("message_swept", queue=queue, kind=kind, attempts=attempts, id=message_id)


def queue_measured(queue: str, depths: Mapping[str, int], oldest_seconds: float) -> None:
    """So much waits on a queue: ready, delayed, leased, dead."""
    for state, count in depths.items():
        _DEPTH.labels(queue, state).set(count)
    _OLDEST.labels(queue).set(oldest_seconds)


def message_finished(queue: str, kind: str, seconds: float) -> None:
    """A message was worked off."""
    _SECONDS.labels(queue, kind).observe(seconds)


def message_lost(queue: str, kind: str) -> None:
    """A message may be in other hands by now; what we did for it was stopped or refused."""
    _LOST.labels(queue, kind).inc()
    _log.warning("message_lost", queue=queue, kind=kind)


def migration_waits() -> None:
    """A table to be changed is held by another transaction; it is tried again soon."""
    _log.warning("migration_waits")


def wake_ups_polled() -> None:
    """A pooler stands before the server, so that no wake-ups arrive; `database_direct_url` would help."""
    _log.warning("wake_ups_polled", hint="set BMN_DATABASE_DIRECT_URL to the server itself")


def write_fenced(name: str) -> None:
    """A write under an old token of lease `name` was refused."""
    _FENCED.inc()
    _log.warning("write_fenced", lease=name)
