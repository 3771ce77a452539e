"""Bring a database to the shape that the code expects.

Revisions are alembic files with plain SQL, `NNNN_pre_name.py` (before the new code runs) or `NNNN_post_name.py` (after
the old code is gone), in one history over several folders. Each folder's line of revisions begins at one of the
engine's, so the engine's own make a whole database too. They go forward only.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg

from bmn.core.errors import ConfigError, TransientError
from bmn.observe import engine as observe
from bmn.pg.errors import translated_at_start

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory
    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncConnection

ENGINE = Path(__file__).parent / "migrations"
"""The engine's own revisions."""

VERSION_TABLE = "bmn_version"
"""Its presence tells that a database is ours."""

_LOCK = 0x626D6E  # "bmn"; any number that nobody else uses
_CONNECT_SECONDS = 10.0
_LOCK_TIMEOUT = "1s"  # whoever wants a table that we wait for waits behind us
_LOCK_PAUSE = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One step of the history."""

    name: str
    summary: str


async def upgrade(dsn: str, locations: Sequence[Path], *, patience: float = 60.0) -> list[str]:
    """Apply what is missing, in one transaction; return the names of the revisions applied, oldest first.

    Safe to call from several processes at once, and while others work on the tables: one upgrades, the others wait and
    find nothing to do. A table that a long transaction holds is waited for a second at a time, so that nobody queues
    up behind us for longer, and for `patience` seconds in all.

    Raises:
        ConfigError: `DATABASE_NEWER`, `DATABASE_TAKEN` or `DATABASE_LOCKED`, and then nothing was changed; or the
            server cannot be reached or refuses us.
    """
    script = _history(locations)
    give_up_at = asyncio.get_running_loop().time() + patience
    while True:
        try:
            with _translated():
                async with _connected(dsn) as conn:
                    return await conn.run_sync(_apply, script)
        except _Contended as error:
            if asyncio.get_running_loop().time() + _LOCK_PAUSE >= give_up_at:
                raise ConfigError(
                    "DATABASE_LOCKED",
                    "a table is held by another transaction; nothing was changed",
                    hint="find long transactions in pg_stat_activity, and run it again",
                ) from error
            observe.migration_waits()
            await asyncio.sleep(_LOCK_PAUSE)


async def plan(dsn: str, locations: Sequence[Path]) -> list[Revision]:
    """Return what `upgrade` would apply now, oldest first.

    Raises:
        ConfigError: as `upgrade`.
    """
    script = _history(locations)
    async with _connected(dsn) as conn:
        current = await conn.run_sync(_current, script)
    steps = _steps(script, tuple(current))
    return [Revision(name=Path(step.revision.path).stem, summary=step.revision.doc) for step in steps]


async def check_version(dsn: str, locations: Sequence[Path]) -> None:
    """Refuse a database of another shape.

    Raises:
        ConfigError: `DATABASE_NEWER`, `DATABASE_OLDER`, `DATABASE_TAKEN`; or as for `open_pool`.
    """
    script = _history(locations)
    async with _connected(dsn) as conn:
        current = await conn.run_sync(_current, script)
    heads = set(script.get_heads())
    if current != heads:
        raise ConfigError(
            "DATABASE_OLDER",
            f"the database is at revision {_names(current)}, this program needs {_names(heads)}",
            hint="run `bmn migrate`",
        )


class _Contended(TransientError):
    """Somebody else holds a lock that we need."""

    def __init__(self) -> None:
        super().__init__("DATABASE_LOCKED", "a table is held by another transaction")


@contextmanager
def _translated() -> Iterator[None]:
    from sqlalchemy.exc import DBAPIError

    try:
        yield
    except DBAPIError as error:
        # A deadlock with a worker is the same: one of the two starts over.
        cause = error.orig.__cause__ if error.orig else None
        if isinstance(cause, asyncpg.LockNotAvailableError | asyncpg.DeadlockDetectedError):
            raise _Contended from error
        raise


def _history(locations: Sequence[Path]) -> "ScriptDirectory":
    from alembic.script import ScriptDirectory  # a third of a second to import

    return ScriptDirectory(str(ENGINE), version_locations=[str(location) for location in locations])


def _steps(script: "ScriptDirectory", current: tuple[str, ...]) -> list[Any]:
    return script._upgrade_revs("heads", current)  # type: ignore[arg-type]  # noqa: SLF001 - as alembic's own command does


@asynccontextmanager
async def _connected(dsn: str) -> "AsyncIterator[AsyncConnection]":
    from sqlalchemy.ext.asyncio import create_async_engine
    from sqlalchemy.pool import NullPool

    async def connect(**_: Any) -> "asyncpg.Connection[asyncpg.Record]":
        # Not sqlalchemy's own address parsing: ours is the one that the rest of the program uses.
        with translated_at_start():
            return await asyncpg.connect(dsn, timeout=_CONNECT_SECONDS, statement_cache_size=0)

    def connect_unnamed() -> Any:
        # Named statements would stay behind in a pooler's session, and meet others of the same name there.
        return engine.dialect.loaded_dbapi.connect(
            async_creator_fn=connect, prepared_statement_cache_size=0, prepared_statement_name_func=lambda: ""
        )

    engine = create_async_engine("postgresql+asyncpg://", creator=connect_unnamed, poolclass=NullPool)
    async with engine.begin() as conn:
        yield conn


def _apply(conn: "Connection", script: "ScriptDirectory") -> list[str]:
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext

    # Until the end of the transaction, so that two upgrades never see the same gap. Before the time limit: whoever has
    # it may work for long.
    conn.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
    conn.exec_driver_sql(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
    conn.exec_driver_sql("SET LOCAL statement_timeout = 0")
    _current(conn, script)
    applied: list[str] = []

    def steps(current: tuple[str, ...], _: MigrationContext) -> list[Any]:
        return _steps(script, current)

    context = MigrationContext.configure(
        conn,
        opts={
            "version_table": VERSION_TABLE,
            "fn": steps,
            "on_version_apply": [lambda *, step, **_: applied.append(Path(step.up_revision.path).stem)],
        },
    )
    with Operations.context(context):
        context.run_migrations()
    return applied


def _current(conn: "Connection", script: "ScriptDirectory") -> set[str]:
    """Return the last revisions of the database, none for an empty one."""
    from alembic.runtime.migration import MigrationContext

    context = MigrationContext.configure(conn, opts={"version_table": VERSION_TABLE})
    current = set(context.get_current_heads())
    unknown = current - {revision.revision for revision in script.walk_revisions()}
    if unknown:
        raise ConfigError(
            "DATABASE_NEWER",
            f"the database is at revision {_names(unknown)}, which this program does not know",
            hint="use the version of the program that upgraded it, or restore a backup",
        )
    if not current:
        _check_empty(conn)
    return current


# What an extension brought is nobody's data.
_STRANGER = """
SELECT relname FROM pg_class
WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND relname <> $1
  AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype = 'e')
ORDER BY relname LIMIT 1
"""


def _check_empty(conn: "Connection") -> None:
    found = conn.exec_driver_sql(_STRANGER, (VERSION_TABLE,)).scalar()
    if found is not None:
        raise ConfigError(
            "DATABASE_TAKEN",
            f"the database holds tables that are not ours, such as {found}",
            hint="create a database for this program alone, and name it in BMN_DATABASE_URL",
        )


def _names(revisions: set[str]) -> str:
    return ", ".join(sorted(revisions)) or "none"
