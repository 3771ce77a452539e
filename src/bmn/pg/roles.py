"""Roles of the database: who may do what with which table.

A role that only migrations use owns everything, so that the programs cannot change the shape of what they work on.
Nobody can log in as a role of ours before a person says so: `ALTER ROLE name LOGIN PASSWORD '…'`.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import asyncpg

from bmn.core.errors import ConfigError
from bmn.pg.errors import translated_at_start

if TYPE_CHECKING:
    _Session: TypeAlias = asyncpg.Connection[asyncpg.Record]

_CONNECT_SECONDS = 10.0
_LOCK = 0x626D6F  # two sessions that grant at once would fail on each other's rows
_LOCK_TIMEOUT = "5s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """What one role may do. Privileges are written as in GRANT: `SELECT, UPDATE (run_at)`; "" for none."""

    name: str
    tables: Mapping[str, str] = field(default_factory=dict)
    """Privileges by table."""
    others: str = ""
    """Privileges on every table not named, those of the future included."""
    sequences: str = ""
    """Privileges on all sequences, those of the future included."""


async def create_roles(dsn: str, owner: str, roles: Sequence[Role]) -> list[str]:
    """Create the roles that are missing, give everything in the schema to `owner`, and grant; return what changed.

    May be repeated: in the end each role has the rights described and no other.

    Raises:
        ConfigError: `ROLES_REFUSED`, we may not create roles, or do not own what is there; `DATABASE_LOCKED`; or as
            `open_pool`.
    """
    async with _granting(dsn) as conn:
        done = []
        everybody = [owner, *(role.name for role in roles)]
        there = await _existing(conn, everybody)
        for name in everybody:
            if name not in there:
                await conn.execute(f"CREATE ROLE {name} NOLOGIN")
                done.append(f"created role {name}")
        names = ", ".join(everybody)
        schema = await _schema(conn)
        database = _quoted(await conn.fetchval("SELECT current_database()"))
        if not await conn.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"):
            await conn.execute(
                f"GRANT {owner} TO CURRENT_USER"
            )  # only a member can give things to it, or use them after
        await conn.execute(f"GRANT CONNECT ON DATABASE {database} TO {names}")
        await conn.execute(f"REVOKE CREATE ON SCHEMA {schema} FROM PUBLIC")
        await conn.execute(f"GRANT USAGE ON SCHEMA {schema} TO {names}")
        await conn.execute(f"GRANT CREATE ON SCHEMA {schema} TO {owner}")
        return done + await _grant(conn, owner, roles)


async def refresh_grants(dsn: str, owner: str, roles: Sequence[Role]) -> list[str]:
    """Set the rights on what a migration has brought, where the roles exist; return what changed.

    Raises:
        ConfigError: as `create_roles`.
    """
    async with _granting(dsn) as conn:
        there = await _existing(conn, [owner, *(role.name for role in roles)])
        return await _grant(conn, owner, roles) if len(there) == len(roles) + 1 else []


@asynccontextmanager
async def _granting(dsn: str) -> "AsyncIterator[_Session]":
    with translated_at_start():
        conn = await asyncpg.connect(dsn, timeout=_CONNECT_SECONDS, statement_cache_size=0)
    try:
        async with conn.transaction():
            await conn.execute(f"SELECT pg_advisory_xact_lock({_LOCK})")
            await conn.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
            yield conn
    except asyncpg.LockNotAvailableError as error:
        raise ConfigError(
            "DATABASE_LOCKED",
            "a table is held by another transaction; no rights were changed",
            hint="find long transactions in pg_stat_activity, and run it again",
        ) from error
    except asyncpg.InsufficientPrivilegeError as error:
        raise ConfigError(
            "ROLES_REFUSED",
            f"the rights cannot be set, and nothing was changed: {error.message}",
            hint="run `bmn migrate --grant-roles` once as a user that may create roles and owns the tables",
        ) from error
    finally:
        await conn.close(timeout=_CONNECT_SECONDS)


async def _existing(conn: "_Session", names: Sequence[str]) -> set[str]:
    rows = await conn.fetch("SELECT rolname FROM pg_roles WHERE rolname = ANY ($1::text[])", list(names))
    return {row["rolname"] for row in rows}


async def _schema(conn: "_Session") -> str:
    return _quoted(await conn.fetchval("SELECT current_schema()"))


# Everything in the schema but what an extension brought. The sequence of a column belongs to whom the table does.
_RELATIONS = """
SELECT relname AS name, relkind = 'S' AS is_sequence, pg_get_userbyid(relowner) AS owner,
       EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid
               AND deptype IN ('i', 'a')) AS is_of_column
FROM pg_class
WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'S')
  AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype = 'e')
ORDER BY relname
"""

_FUNCTIONS = """
SELECT oid::regprocedure::text AS name, pg_get_userbyid(proowner) AS owner FROM pg_proc
WHERE pronamespace = current_schema()::regnamespace
  AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = pg_proc.oid AND deptype = 'e')
ORDER BY name
"""


async def _grant(conn: "_Session", owner: str, roles: Sequence[Role]) -> list[str]:
    schema = await _schema(conn)
    relations = await conn.fetch(_RELATIONS)
    tables = [row["name"] for row in relations if not row["is_sequence"]]
    sequences = [row["name"] for row in relations if row["is_sequence"]]
    free = [row for row in relations if row["is_sequence"] and not row["is_of_column"]]
    done = [
        *await _give_away(conn, "TABLE", owner, [row for row in relations if not row["is_sequence"]]),
        *await _give_away(conn, "SEQUENCE", owner, free),
        *await _give_away(conn, "FUNCTION", owner, await conn.fetch(_FUNCTIONS)),
    ]
    before = await _rights(conn)
    for role in roles:
        for kind, rights in (("TABLES", role.others), ("SEQUENCES", role.sequences)):
            future = f"ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA {schema}"
            await conn.execute(f"{future} REVOKE ALL ON {kind} FROM {role.name}")
            if rights:
                await conn.execute(f"{future} GRANT {rights} ON {kind} TO {role.name}")
        for table in tables:
            await _set_rights(conn, f"TABLE {_quoted(table)}", role.name, role.tables.get(table, role.others))
        for sequence in sequences:
            await _set_rights(conn, f"SEQUENCE {_quoted(sequence)}", role.name, role.sequences)
    after = await _rights(conn)
    return done + [f"set the rights on {name}" for name in after if after[name] != before.get(name)]


async def _give_away(conn: "_Session", kind: str, owner: str, things: Sequence[asyncpg.Record]) -> list[str]:
    done = []
    for thing in things:
        if thing["owner"] != owner:
            name = thing["name"] if kind == "FUNCTION" else _quoted(thing["name"])
            await conn.execute(f"ALTER {kind} {name} OWNER TO {owner}")
            done.append(f"gave {kind.lower()} {thing['name']} to {owner}")
    return done


async def _set_rights(conn: "_Session", thing: str, role: str, rights: str) -> None:
    await conn.execute(f"REVOKE ALL ON {thing} FROM {role}")
    if rights:
        await conn.execute(f"GRANT {rights} ON {thing} TO {role}")


# In the order of their text: every GRANT appends.
_RIGHTS = """
SELECT relname AS name, ARRAY(
    SELECT entry::text FROM unnest(relacl) AS entry
    UNION ALL
    SELECT attname || entry::text FROM pg_attribute, unnest(attacl) AS entry WHERE attrelid = pg_class.oid
    ORDER BY 1) AS rights
FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'S') ORDER BY relname
"""


async def _rights(conn: "_Session") -> dict[str, list[str]]:
    return {row["name"]: row["rights"] for row in await conn.fetch(_RIGHTS)}


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
