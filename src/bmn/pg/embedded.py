"""The database of a home: the one named by an address, else a PostgreSQL of our own."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import asyncpg

from bmn.core.errors import BmnError, ConfigError
from bmn.observe import engine as observe
from bmn.pg.beside import running
from bmn.pg.errors import translated_at_start
from bmn.pg.place import SYSTEM_DIR, choose_place
from bmn.pg.server import Server

OLDEST = 15
"""The oldest major version of PostgreSQL that we promise to work with."""

_CONNECT_SECONDS = 10.0
_REVIVE_PAUSE = 1.0

T = TypeVar("T")


@asynccontextmanager
async def open_database(home: Path, dsn: str | None, *, system_dir: Path = SYSTEM_DIR) -> AsyncIterator[str]:
    """Yield the address of a usable PostgreSQL.

    With `dsn` (from BMN_DATABASE_URL) that server is checked and used. Without, processes of the same `home` share one
    embedded server: the first starts it, the last one out stops it, and if it dies in between it is started again.
    `system_dir` is where root keeps what does not fit in the home; see `choose_place`.

    Raises:
        ConfigError: unreachable, refused, too old, read-only, wrong encoding; or it cannot be started.
    """
    if dsn is not None:
        await check_server(dsn)
        yield dsn
        return
    place = await asyncio.to_thread(choose_place, home, system_dir=system_dir)
    server = Server(place)
    try:
        own = await _finish_in_thread(server.join)
        await check_server(own, data=place.data)
        async with running(_keep_alive(server, own)):
            yield own
    finally:
        await _finish_in_thread(server.leave)


async def check_server(dsn: str, *, data: Path | None = None) -> None:
    """Connect once and refuse a server that we cannot work with. `data`: the data directory it must have.

    Raises:
        ConfigError: why not.
    """
    with translated_at_start():
        connection = await asyncpg.connect(dsn, timeout=_CONNECT_SECONDS, statement_cache_size=0)
        try:
            [(major, encoding, standby)] = await connection.fetch(
                """
                SELECT current_setting('server_version_num')::int / 10000, current_setting('server_encoding'),
                       pg_is_in_recovery()
                """
            )
            # Needs a superuser, which we are on a server of our own.
            directory = await connection.fetchval("SHOW data_directory") if data else None
        finally:
            await connection.close(timeout=_CONNECT_SECONDS)
    if data and str(data) != directory:
        raise ConfigError("DATABASE_FOREIGN", f"the server at the socket serves {directory}, not {data}")
    check_server_facts(major=major, encoding=encoding, standby=standby)


def check_server_facts(*, major: int, encoding: str, standby: bool) -> None:
    """Refuse a server by what it says of itself.

    Raises:
        ConfigError: `DATABASE_TOO_OLD`, `DATABASE_ENCODING` or `DATABASE_STANDBY`.
    """
    if major < OLDEST:
        raise ConfigError(
            "DATABASE_TOO_OLD", f"PostgreSQL {major} is too old", hint=f"use PostgreSQL {OLDEST} or later"
        )
    if encoding != "UTF8":
        raise ConfigError(
            "DATABASE_ENCODING",
            f"the database is encoded in {encoding}",
            hint="create it with ENCODING 'UTF8' TEMPLATE template0",
        )
    if standby:
        raise ConfigError(
            "DATABASE_STANDBY", "the server is a standby: it only reads", hint="point BMN_DATABASE_URL at the primary"
        )


async def _keep_alive(server: Server, dsn: str) -> None:
    """Hold one idle connection; when it ends, see that the server runs again."""
    while True:
        try:
            await _ended(await asyncpg.connect(dsn, timeout=_CONNECT_SECONDS))
            observe.database_lost()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            observe.database_not_watched(type(error).__name__)
            await asyncio.sleep(_REVIVE_PAUSE)
        try:
            await _finish_in_thread(server.revive)
        except (OSError, BmnError) as error:
            observe.database_not_revived(str(error))
            await asyncio.sleep(_REVIVE_PAUSE)


async def _ended(connection: asyncpg.Connection) -> None:
    """Return when the server has closed the connection."""
    gone = asyncio.Event()
    connection.add_termination_listener(lambda _: gone.set())
    try:
        await gone.wait()
    finally:
        connection.terminate()


async def _finish_in_thread(work: Callable[[], T]) -> T:
    """Run blocking `work` to its end even when we are cancelled: a half-started server would have no owner."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        task.exception()  # seen: the cancel counts for more
        raise
