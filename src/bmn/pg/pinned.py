"""A connection kept for one purpose, its statements prepared; what the pool does for each use costs half a read."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

import asyncpg
from asyncpg.prepared_stmt import PreparedStatement

from bmn.pg.pool import Pool, PoolConnection
from bmn.pg.pooler import is_direct

_ACQUIRE_SECONDS = 10.0
_BROKEN = (OSError, asyncpg.PostgresConnectionError, asyncpg.OperatorInterventionError, asyncpg.InterfaceError)


class Fetches(Protocol):
    """A connection, as far as a query needs one."""

    async def fetch(self, query: str, /, *args: Any) -> Sequence[asyncpg.Record]:
        """Run `query` and return its rows."""
        ...


@asynccontextmanager
async def open_pinned(pool: Pool) -> AsyncIterator[Fetches]:
    """Yield a connection of the pool that is ours during the block; one that dies is replaced at the next use.

    One query at a time. Errors are asyncpg's own.
    """
    pinned = _Pinned(pool)
    try:
        yield pinned
    finally:
        await pinned.close()


class _Pinned:
    """A connection of our own, with its statements at hand: what the pool does for each use costs half a small read."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._connection: PoolConnection | None = None
        self._statements: dict[str, PreparedStatement[asyncpg.Record]] | None = None
        """None behind a pooler, which would forget them."""

    async def fetch(self, query: str, /, *args: Any) -> Sequence[asyncpg.Record]:
        """Run `query` on a live connection and return its rows."""
        try:
            return await self._fetch(query, args)
        except asyncpg.InvalidCachedStatementError:  # a migration changed its columns; nothing was done
            await self.close()
            return await self._fetch(query, args)
        except _BROKEN:
            await self.close(broken=True)
            raise

    async def _fetch(self, query: str, args: Sequence[Any]) -> Sequence[asyncpg.Record]:
        if self._connection is None or _is_gone(self._connection):
            await self.close()
            conn = await self._pool.acquire(timeout=_ACQUIRE_SECONDS)
            try:
                self._statements = {} if await is_direct(conn) else None
            except BaseException:  # ours only when known: the statements at hand are another connection's
                await self._pool.release(conn)
                raise
            self._connection = conn
        if self._statements is None:
            return await self._connection.fetch(query, *args)
        statement = self._statements.get(query)
        if statement is None:
            statement = self._statements[query] = await self._connection.prepare(query)
        return await statement.fetch(*args)

    async def close(self, *, broken: bool = False) -> None:
        """Give the connection back; a `broken` one is not used again."""
        if self._connection is not None:
            conn, self._connection = self._connection, None
            if broken and not _is_gone(conn):
                conn.terminate()
            await self._pool.release(conn)


def _is_gone(conn: PoolConnection) -> bool:
    try:
        return conn.is_closed()
    except asyncpg.InterfaceError:  # the pool has taken a dead one back
        return True
