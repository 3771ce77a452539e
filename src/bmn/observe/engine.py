"""Events of the PostgreSQL engine: server, queue, leases. Labels are queue names and error codes, nothing else."""

import structlog

_log = structlog.get_logger("bmn.engine")


def database_lost() -> None:
    """Our embedded server closed the connection that watches it."""
    _log.warning("database_lost")


def database_not_revived(detail: str) -> None:
    """Our embedded server could not be started again; it is tried again soon."""
    _log.error("database_not_revived", detail=detail)


def database_not_watched(kind: str) -> None:
    """The connection that watches our embedded server could not be opened; it is tried again soon."""
    _log.warning("database_not_watched", kind=kind)
