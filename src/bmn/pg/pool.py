"""Connections to PostgreSQL and transactions on them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, TypeAlias

import asyncpg
from asyncpg.transaction import Transaction

from bmn.core.errors import TransientError
from bmn.pg.errors import translated, translated_at_start
from bmn.pg.pooler import IDLE_IN_TRANSACTION, PooledSession, reaches_server

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
    PoolConnection: TypeAlias = PoolConnectionProxy[asyncpg.Record]
    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record] | PoolConnection
else:
    Pool = asyncpg.Pool
    PoolConnection = Connection = asyncpg.Connection

_CONNECT_SECONDS = 10.0
_ACQUIRE_SECONDS = 10.0
_UNANSWERED = (OSError, asyncpg.PostgresConnectionError, asyncpg.OperatorInterventionError, asyncpg.InterfaceError)


@asynccontextmanager
async def open_pool(dsn: str, *, size: int = 10, command_timeout: float = 30.0) -> AsyncIterator[Pool]:
    """Yield a pool of at most `size` connections; no statement takes longer than `command_timeout` seconds.

    `numeric` is a Python int (a fraction is an error), `jsonb` is text. Connections are not reset between uses, which
    halves the round trips: leave no session state behind (no SET, no LISTEN, no session lock). A transaction in which
    nothing happens for 5 seconds is ended by the server. A pooler in between is noticed; see `bmn.pg.pooler`.

    Raises:
        ConfigError: the server cannot be reached or refuses us.
    """
    direct = await reaches_server(dsn)
    settings = {"application_name": "bmn"}
    if direct:  # a pooler refuses it
        settings["idle_in_transaction_session_timeout"] = IDLE_IN_TRANSACTION
    with translated_at_start():
        pool = await asyncpg.create_pool(
            dsn,
            min_size=1,
            max_size=size,
            timeout=_CONNECT_SECONDS,
            command_timeout=command_timeout,
            statement_cache_size=100 if direct else 0,
            server_settings=settings,
            connection_class=asyncpg.Connection if direct else PooledSession,
            init=_prepare,
            reset=_keep_session,
        )
    try:
        yield pool
    finally:
        await _close(pool)


@asynccontextmanager
async def connection(pool: Pool) -> AsyncIterator[Connection]:
    """Yield a connection for single statements, each its own transaction.

    Raises:
        TransientError: `DATABASE_UNAVAILABLE` or `DATABASE_TIMEOUT`; the statement may or may not stand.
    """
    with translated():
        async with pool.acquire(timeout=_ACQUIRE_SECONDS) as conn:
            yield conn


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """Yield a connection in a transaction: committed at the end of the block, rolled back when it raises.

    Raises:
        TransientError: `COMMIT_UNKNOWN` when the answer to COMMIT was lost: it may stand or not, so read again by key
            before acting on either; else as `connection`, and then nothing stands.
    """
    async with connection(pool) as conn:
        block = conn.transaction()
        try:
            await block.start()
            yield conn
        except BaseException:
            await _roll_back(conn, block)
            raise
        try:
            await block.commit()
        except _UNANSWERED as error:
            raise TransientError("COMMIT_UNKNOWN", "the connection was lost during COMMIT") from error


async def _roll_back(conn: Connection, block: Transaction) -> None:
    """Roll back; where that fails, drop the connection, so that the error which brought us here is the one seen."""
    try:
        await block.rollback()
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.exceptions.InternalClientError):
        with suppress(asyncpg.InterfaceError):  # the pool has dropped it already
            conn.terminate()


async def _prepare(conn: Connection) -> None:
    await conn.set_type_codec("numeric", schema="pg_catalog", encoder=str, decoder=int, format="text")


async def _keep_session(_: Connection) -> None:
    """Replace asyncpg's reset query, a round trip for each use."""


async def _close(pool: Pool) -> None:
    """Close politely for a moment, then for good: a server that is gone answers no goodbye."""
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            await pool.close()
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        pool.terminate()
