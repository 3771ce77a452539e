"""What each role of the database may do, and what it may not."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import asyncpg
import pytest
from tests.support.postgres import allow_login, fresh_database, login_as

from bmn.app import LOCATIONS
from bmn.core.errors import ConfigError
from bmn.pg.depth import load_depth
from bmn.pg.migrate import upgrade
from bmn.pg.roles import Role, create_roles, refresh_grants
from bmn.store.grants import API, APP, BACKUP, INDEXER, OWNER, ROLES

TABLES = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"


@pytest.fixture
async def granted(postgres: str, store_template: str) -> AsyncIterator[str]:
    """Address of a new database with all tables and roles."""
    with fresh_database(postgres, template=store_template) as dsn:
        await create_roles(dsn, OWNER, ROLES)
        yield dsn


@asynccontextmanager
async def acting_as(dsn: str, role: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    conn = await asyncpg.connect(dsn)
    try:
        await conn.execute(f"SET ROLE {role}")
        yield conn
    finally:
        await conn.close()


async def names_of(dsn: str, query: str) -> set[str]:
    conn = await asyncpg.connect(dsn)
    try:
        return {row[0] for row in await conn.fetch(query)}
    finally:
        await conn.close()


async def refused(conn: "asyncpg.Connection[asyncpg.Record]", statement: str) -> bool:
    try:
        async with conn.transaction():
            await conn.execute(statement)
    except asyncpg.InsufficientPrivilegeError:
        return True
    return False


async def test_rights_name_only_tables_that_exist(granted: str) -> None:
    tables = await names_of(granted, TABLES)
    for role in ROLES:
        assert set(role.tables) <= tables


async def test_only_the_owner_changes_shapes(granted: str) -> None:
    statements = (
        "CREATE TABLE t (n int)",
        "TRUNCATE messages",
        "ALTER TABLE swaps ADD COLUMN n int",
        "DROP TABLE dead_messages",
    )
    for role in ROLES:
        async with acting_as(granted, role.name) as conn:
            for statement in statements:
                assert await refused(conn, statement)
    async with acting_as(granted, OWNER) as conn:
        for statement in statements:
            assert not await refused(conn, statement)


KEPT = ("swap_events", "secret_events", "evidence", "orders", "swaps", "intents", "txs", "journal", "escrows")


async def test_nobody_but_the_owner_deletes_what_tells_where_money_went(granted: str) -> None:
    for role in ROLES:
        async with acting_as(granted, role.name) as conn:
            for table in KEPT:
                assert await refused(conn, f"DELETE FROM {table}")


async def test_the_program_reads_everything_and_cannot_rewrite_history(granted: str) -> None:
    async with acting_as(granted, APP.name) as conn:
        for table in await names_of(granted, TABLES):
            assert not await refused(conn, f"SELECT * FROM {table}")
        for table in ("messages", "dead_messages", "kv", "secrets", "schedules", "chain_blocks"):
            assert not await refused(conn, f"DELETE FROM {table}")
        assert await refused(conn, "UPDATE swap_events SET reason = ''")
        assert await refused(conn, "UPDATE orders SET maker = maker")
        assert await refused(conn, "UPDATE bmn_version SET version_num = '9999'")


async def test_the_indexer_decides_nothing(granted: str) -> None:
    async with acting_as(granted, INDEXER.name) as conn:
        for statement in (
            "INSERT INTO orders DEFAULT VALUES",
            "UPDATE swaps SET state = 'DONE'",
            "INSERT INTO intents DEFAULT VALUES",
            "SELECT * FROM secrets",
            "DELETE FROM messages",
            "DELETE FROM kv",
        ):
            assert await refused(conn, statement)


async def test_dashboards_read_what_is_public_and_write_nothing(granted: str) -> None:
    async with acting_as(granted, API.name) as conn:
        for table in ("swaps", "orders", "swap_events", "journal", "escrows", "chain_heads"):
            assert not await refused(conn, f"SELECT * FROM {table}")
        for statement in ("SELECT payload FROM messages", "SELECT payload FROM dead_messages", "SELECT * FROM secrets"):
            assert await refused(conn, statement)
        for table in await names_of(granted, TABLES):
            assert await refused(conn, f"DELETE FROM {table}")
            assert await refused(conn, f"INSERT INTO {table} DEFAULT VALUES")


@pytest.mark.parametrize("role", [APP, INDEXER, API])
async def test_every_process_sees_how_much_waits(granted: str, role: Role) -> None:
    async with acting_as(granted, role.name) as conn:
        assert [depth.queue for depth in await load_depth(conn, ["q"])] == ["q"]


async def test_backup_reads_everything_and_writes_nothing(granted: str) -> None:
    async with acting_as(granted, BACKUP.name) as conn:
        for table in await names_of(granted, TABLES):
            assert not await refused(conn, f"SELECT * FROM {table}")
            assert await refused(conn, f"DELETE FROM {table}")
            assert await refused(conn, f"INSERT INTO {table} DEFAULT VALUES")
        for sequence in await names_of(granted, TABLES.replace("'r'", "'S'")):
            assert not await refused(conn, f"SELECT last_value FROM {sequence}")
        assert await refused(conn, "SELECT nextval('fence')")


async def test_granting_again_changes_nothing_and_takes_back_what_was_given_by_hand(granted: str) -> None:
    assert await create_roles(granted, OWNER, ROLES) == []
    async with acting_as(granted, OWNER) as conn:
        await conn.execute("GRANT DELETE ON swap_events TO bmn_app; GRANT SELECT (sealed) ON secrets TO bmn_api")
    assert await refresh_grants(granted, OWNER, ROLES) == [
        "set the rights on secrets",
        "set the rights on swap_events",
    ]
    async with acting_as(granted, APP.name) as conn:
        assert await refused(conn, "DELETE FROM swap_events")
    async with acting_as(granted, API.name) as conn:
        assert await refused(conn, "SELECT sealed FROM secrets")


async def test_a_table_of_the_future_is_open_to_the_program_at_once_and_to_nobody_else(granted: str) -> None:
    async with acting_as(granted, OWNER) as conn:
        await conn.execute("CREATE TABLE later (id bigint GENERATED ALWAYS AS IDENTITY, n int)")
    async with acting_as(granted, APP.name) as conn:
        for statement in ("INSERT INTO later (n) VALUES (1)", "UPDATE later SET n = 2", "DELETE FROM later"):
            assert not await refused(conn, statement)
        assert await refused(conn, "TRUNCATE later")
    async with acting_as(granted, BACKUP.name) as conn:
        assert not await refused(conn, "SELECT * FROM later")
        assert await refused(conn, "INSERT INTO later (n) VALUES (1)")
    for role in (INDEXER, API):
        async with acting_as(granted, role.name) as conn:
            assert await refused(conn, "SELECT * FROM later")


async def test_without_roles_nothing_is_granted(database: str) -> None:
    await upgrade(database, LOCATIONS)
    strangers = [role for role in ROLES if role is not APP]
    assert await refresh_grants(database, "bmn_nobody", strangers) == []


@asynccontextmanager
async def plain_owner(dsn: str) -> AsyncIterator[str]:
    """Yield the address of the database for a user that owns it and may create roles, and is no superuser."""
    admin = await asyncpg.connect(dsn)
    name = f"plain_{urlsplit(dsn).path[1:]}"
    await admin.execute(f"CREATE ROLE {name} LOGIN CREATEROLE")
    await admin.execute(f"ALTER DATABASE {urlsplit(dsn).path[1:]} OWNER TO {name}")
    try:
        yield login_as(dsn, name)
    finally:
        await admin.execute(f"REASSIGN OWNED BY {name} TO CURRENT_USER; DROP OWNED BY {name}; DROP ROLE {name}")
        await admin.close()


async def without_roles(dsn: str) -> None:
    admin = await asyncpg.connect(dsn)
    for name in (OWNER, *(role.name for role in ROLES)):
        if await admin.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", name):
            await admin.execute(f"DROP ROLE {name}")
    await admin.close()


async def test_an_owner_who_is_no_superuser_creates_the_roles_and_still_migrates(database: str) -> None:
    await without_roles(database)
    async with plain_owner(database) as dsn:
        first = await upgrade(dsn, LOCATIONS[:1])
        assert "created role bmn_app" in await create_roles(dsn, OWNER, ROLES)
        assert first
        assert await upgrade(dsn, LOCATIONS)
        given = await refresh_grants(dsn, OWNER, ROLES)
        assert f"gave table swaps to {OWNER}" in given
        async with acting_as(database, APP.name) as conn:
            assert not await refused(conn, "SELECT * FROM swaps")
            assert await refused(conn, "DELETE FROM swap_events")


async def test_the_owner_role_migrates_by_itself(database: str) -> None:
    await create_roles(database, OWNER, ROLES)
    await allow_login(database, OWNER)
    dsn = login_as(database, OWNER)
    assert await upgrade(dsn, LOCATIONS)
    assert await refresh_grants(dsn, OWNER, ROLES) != []
    assert await refresh_grants(dsn, OWNER, ROLES) == []
    async with acting_as(database, APP.name) as conn:
        assert not await refused(conn, "DELETE FROM messages")


async def test_who_may_not_create_roles_is_told_what_to_do(database: str) -> None:
    await upgrade(database, LOCATIONS)
    await create_roles(database, OWNER, ROLES)
    await allow_login(database, APP.name)
    with pytest.raises(ConfigError, match=r"ROLES_REFUSED.*--grant-roles"):
        await create_roles(login_as(database, APP.name), OWNER, ROLES)
