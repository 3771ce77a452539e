"""Bring a database to the shape that the code expects.

Revisions are alembic files with plain SQL, `NNNN_pre_name.py` (before the new code runs) or `NNNN_post_name.py` (after
the old code is gone), in one history over several folders. Each folder's line of revisions begins at one of the
engine's, so the engine's own make a whole database too. They go forward only.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg

from bmn.core.errors import ConfigError
from bmn.pg.errors import translated_at_start

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory
    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncConnection

ENGINE = Path(__file__).parent / "migrations"
"""The engine's own revisions."""

_VERSION_TABLE = "bmn_version"
_LOCK = 0x626D6E  # "bmn"; any number that nobody else uses
_CONNECT_SECONDS = 10.0


async def upgrade(dsn: str, locations: Sequence[Path]) -> list[str]:
    """Apply what is missing, in one transaction; return the names of the revisions applied, oldest first.

    Safe to call from several processes at once: one works, the others wait and find nothing to do.

    Raises:
        ConfigError: `DATABASE_NEWER`, or the server cannot be reached or refuses us.
    """
    script = _history(locations)
    async with _connected(dsn) as conn:
        return await conn.run_sync(_apply, script)


async def check_version(dsn: str, locations: Sequence[Path]) -> None:
    """Refuse a database of another shape.

    Raises:
        ConfigError: `DATABASE_NEWER` or `DATABASE_OLDER`, or the server cannot be reached or refuses us.
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


def _history(locations: Sequence[Path]) -> "ScriptDirectory":
    from alembic.script import ScriptDirectory  # a third of a second to import

    return ScriptDirectory(str(ENGINE), version_locations=[str(location) for location in locations])


@asynccontextmanager
async def _connected(dsn: str) -> "AsyncIterator[AsyncConnection]":
    from sqlalchemy.ext.asyncio import create_async_engine
    from sqlalchemy.pool import NullPool

    async def connect(**_: Any) -> "asyncpg.Connection[asyncpg.Record]":
        # Not sqlalchemy's own address parsing: ours is the one that the rest of the program uses.
        with translated_at_start():
            return await asyncpg.connect(dsn, timeout=_CONNECT_SECONDS, statement_cache_size=0)

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    async with engine.begin() as conn:
        yield conn


def _apply(conn: "Connection", script: "ScriptDirectory") -> list[str]:
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext

    # Until the end of the transaction, so that two upgrades never see the same gap.
    conn.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
    _current(conn, script)
    applied: list[str] = []

    def steps(current: tuple[str, ...], _: MigrationContext) -> list[Any]:
        return script._upgrade_revs("heads", current)  # type: ignore[arg-type]  # noqa: SLF001 - as alembic's own command does

    context = MigrationContext.configure(
        conn,
        opts={
            "version_table": _VERSION_TABLE,
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

    context = MigrationContext.configure(conn, opts={"version_table": _VERSION_TABLE})
    current = set(context.get_current_heads())
    unknown = current - {revision.revision for revision in script.walk_revisions()}
    if unknown:
        raise ConfigError(
            "DATABASE_NEWER",
            f"the database is at revision {_names(unknown)}, which this program does not know",
            hint="use the version of the program that upgraded it, or restore a backup",
        )
    return current


def _names(revisions: set[str]) -> str:
    return ", ".join(sorted(revisions)) or "none"
