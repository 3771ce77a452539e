"""Poolers such as PgBouncer in transaction mode, where a session is ours for one transaction only.

What a pooler takes away: notifications, prepared statements, and settings of the session. So behind one every
transaction brings its own settings, statements have no names, and wake-ups come by polling.
"""

from typing import TYPE_CHECKING, TypeAlias

import asyncpg
from asyncpg.transaction import Transaction

from bmn.core.errors import ConfigError
from bmn.pg.errors import translated_at_start

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy
    from asyncpg.transaction import _IsolationLevels

    _Session: TypeAlias = asyncpg.Connection[asyncpg.Record]
    _AnySession: TypeAlias = _Session | PoolConnectionProxy[asyncpg.Record]
else:
    _Session = _AnySession = asyncpg.Connection

IDLE_IN_TRANSACTION = "5s"
"""A process that hangs inside a transaction keeps its locks, and with them others from taking its leases over."""

_CONNECT_SECONDS = 10.0


class PooledSession(_Session):
    """A connection through a pooler. A setting made outside a transaction would go to whoever is served next."""

    def transaction(
        self, *, isolation: "_IsolationLevels | None" = None, readonly: bool = False, deferrable: bool = False
    ) -> Transaction:
        """Return a transaction that the server ends when nothing happens in it."""
        return _LimitedTransaction(self, isolation=isolation, readonly=readonly, deferrable=deferrable)


class _LimitedTransaction(Transaction):
    def __init__(
        self, session: PooledSession, *, isolation: "_IsolationLevels | None", readonly: bool, deferrable: bool
    ) -> None:
        super().__init__(session, isolation, readonly, deferrable)
        self._session = session

    async def start(self) -> None:
        await super().start()
        await self._session.execute(f"SET LOCAL idle_in_transaction_session_timeout = '{IDLE_IN_TRANSACTION}'")


async def is_direct(conn: _AnySession) -> bool:
    """Whether `conn` ends at the server itself; a pooler tells its clients process ids that are not the server's."""
    return bool(await conn.fetchval("SELECT pg_backend_pid()") == conn.get_server_pid())


async def reaches_server(dsn: str) -> bool:
    """Connect once and tell whether there is no pooler in between.

    Raises:
        ConfigError: the server cannot be reached or refuses us.
    """
    with translated_at_start():
        conn = await asyncpg.connect(dsn, timeout=_CONNECT_SECONDS, statement_cache_size=0)
        try:
            return await is_direct(conn)
        finally:
            await conn.close(timeout=_CONNECT_SECONDS)


_IDENTITY = "SELECT pg_postmaster_start_time(), oid FROM pg_database WHERE datname = current_database()"


async def check_same_database(dsn: str, direct: str) -> None:
    """Refuse a direct address that leads elsewhere: wake-ups would be lost, and migrations change a stranger.

    Raises:
        ConfigError: `DATABASE_DIRECT`, or one of the two cannot be used.
    """
    found = []
    for address in (dsn, direct):
        with translated_at_start():
            conn = await asyncpg.connect(address, timeout=_CONNECT_SECONDS, statement_cache_size=0)
            try:
                found.append(tuple(await conn.fetchrow(_IDENTITY) or ()))
            finally:
                await conn.close(timeout=_CONNECT_SECONDS)
    if found[0] != found[1]:
        raise ConfigError(
            "DATABASE_DIRECT",
            "database_direct_url leads to another database than database_url",
            hint="name the same database twice: once through the pooler, once at the server",
        )
