"""What asyncpg raises, in our classes."""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from bmn.core.errors import ConfigError, PermanentError, TimedOut, TransientError


class LostLease(TransientError):
    """The message or lease is no longer ours: somebody else may own it, so nothing of this attempt may stand."""

    def __init__(self, what: str) -> None:
        """Name the message or lease."""
        super().__init__("LEASE_LOST", f"{what} is not ours any more")


class Undeliverable(PermanentError):
    """The message itself cannot be worked on: it goes to the dead at once, even one that is never given up."""


_LONGEST_TEXT = 2000

_PASSING = (
    asyncpg.PostgresConnectionError,
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.exceptions.InternalClientError,
    OSError,
)


@contextmanager
def translated() -> Iterator[None]:
    """Turn failures of the database that may pass into `TransientError`; leave mistakes of ours as they are.

    Raises:
        TimedOut: `DATABASE_TIMEOUT`.
        TransientError: `DATABASE_UNAVAILABLE`.
    """
    try:
        yield
    except TimeoutError as error:
        raise TimedOut("DATABASE_TIMEOUT", "the database did not answer in time") from error
    except _PASSING as error:
        raise TransientError("DATABASE_UNAVAILABLE", f"the database is not available: {_kind(error)}") from error
    except asyncpg.InterfaceError as error:
        # asyncpg has one class for its misuse and for a dead connection; the pool takes a dead one back at once.
        if not any(sign in str(error) for sign in (" is clos", "released back to the pool")):
            raise
        raise TransientError("DATABASE_UNAVAILABLE", f"the connection is gone: {_kind(error)}") from error


@contextmanager
def translated_at_start() -> Iterator[None]:
    """Turn failures to connect into `ConfigError`; the text never holds the address, which may hold a password.

    Raises:
        ConfigError: `DATABASE_REFUSED` (user, password, database name), else `DATABASE_UNREACHABLE`.
    """
    try:
        yield
    except (
        asyncpg.InvalidAuthorizationSpecificationError,
        asyncpg.InvalidCatalogNameError,
        asyncpg.InsufficientPrivilegeError,
    ) as error:
        raise ConfigError(
            "DATABASE_REFUSED",
            f"the database refuses us: {_kind(error)}",
            hint="check user, password and database name in BMN_DATABASE_URL",
        ) from error
    except (*_PASSING, asyncpg.InterfaceError, asyncpg.PostgresError, ValueError) as error:
        raise ConfigError(
            "DATABASE_UNREACHABLE",
            f"cannot connect to the database: {_kind(error)}",
            hint="check host, port and options in BMN_DATABASE_URL, and that the server runs",
        ) from error


def storable(text: str) -> str:
    """Return what PostgreSQL takes as text: a chain's revert reason may hold anything. At most 2,000 characters."""
    return text.encode(errors="replace").decode().replace("\0", "?")[:_LONGEST_TEXT]


def _kind(error: BaseException) -> str:
    """Name an error without its text, except where the text is the server's and about the session."""
    if isinstance(error, asyncpg.PostgresError) and error.sqlstate:
        return f"{type(error).__name__} ({error.sqlstate})"
    if isinstance(error, OSError) and error.strerror:
        return f"{type(error).__name__} ({error.strerror})"
    return type(error).__name__
