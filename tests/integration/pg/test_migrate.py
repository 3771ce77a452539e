"""The migrations runner against a real server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from bmn.core.errors import ConfigError
from bmn.pg.migrate import ENGINE, check_version, plan, upgrade

ENGINE_REVISIONS = sorted(path.stem for path in ENGINE.glob("*.py"))

SECOND = """
from alembic import op

revision = "9002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("CREATE TABLE things (id bigint)")
"""


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    (tmp_path / "9002_post_things.py").write_text(SECOND)
    return tmp_path


async def test_concurrent_upgrades_apply_each_revision_once(database: str) -> None:
    applied = await asyncio.gather(*(upgrade(database, [ENGINE]) for _ in range(4)))
    assert sorted(applied) == [[], [], [], ENGINE_REVISIONS]
    await check_version(database, [ENGINE])


async def test_one_history_runs_through_two_folders(database: str, elsewhere: Path) -> None:
    applied = await upgrade(database, [ENGINE, elsewhere])
    assert sorted(applied) == [*ENGINE_REVISIONS, "9002_post_things"]
    await check_version(database, [ENGINE, elsewhere])


async def test_refuses_a_database_that_knows_more_than_we_do(engine_database: str, elsewhere: Path) -> None:
    await upgrade(engine_database, [ENGINE, elsewhere])
    for refusing in (upgrade, check_version):
        with pytest.raises(ConfigError, match="DATABASE_NEWER"):
            await refusing(engine_database, [ENGINE])


async def test_refuses_a_database_that_is_behind_or_empty(engine_database: str, database: str, elsewhere: Path) -> None:
    with pytest.raises(ConfigError, match="DATABASE_OLDER"):
        await check_version(engine_database, [ENGINE, elsewhere])
    with pytest.raises(ConfigError, match="DATABASE_OLDER"):
        await check_version(database, [ENGINE])


async def test_a_failing_revision_leaves_the_database_as_it_was(database: str, elsewhere: Path) -> None:
    broken = elsewhere / "9003_pre_broken.py"
    broken.write_text(SECOND.replace("9002", "9003").replace("0001", "9002"))  # creates the same table again
    with pytest.raises(Exception, match="already exists"):
        await upgrade(database, [ENGINE, elsewhere])
    connection = await asyncpg.connect(database)
    tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    await connection.close()
    assert tables == []


async def test_an_unreachable_server_is_a_configuration_error_without_the_password() -> None:
    with pytest.raises(ConfigError, match="DATABASE_UNREACHABLE") as caught:
        await upgrade("postgresql://bmn:hunter2@127.0.0.1:1/bmn", [ENGINE])
    assert "hunter2" not in str(caught.value)


async def test_the_plan_is_what_the_upgrade_then_does(database: str, elsewhere: Path) -> None:
    planned = await plan(database, [ENGINE])
    assert [revision.name for revision in planned] == ENGINE_REVISIONS
    assert planned[0].summary == "Tables of the engine: messages, dead messages, leases."
    assert await upgrade(database, [ENGINE]) == ENGINE_REVISIONS
    assert await plan(database, [ENGINE]) == []
    assert [revision.name for revision in await plan(database, [ENGINE, elsewhere])] == ["9002_post_things"]


@asynccontextmanager
async def holding(dsn: str, table: str) -> AsyncIterator[None]:
    """Read a table in a transaction that stays open."""
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction():
            await connection.execute(f"SELECT FROM {table} LIMIT 1")
            yield
    finally:
        await connection.close()


CHANGING = SECOND.replace("CREATE TABLE things (id bigint)", "ALTER TABLE messages ADD COLUMN more bigint")


async def test_a_held_table_is_waited_for_and_then_named_and_nothing_has_changed(
    engine_database: str, elsewhere: Path
) -> None:
    (elsewhere / "9002_post_things.py").write_text(CHANGING)
    async with holding(engine_database, "messages"):
        with pytest.raises(ConfigError, match="DATABASE_LOCKED"):
            await upgrade(engine_database, [ENGINE, elsewhere], patience=0.5)
        await check_version(engine_database, [ENGINE])
        upgrading = asyncio.create_task(upgrade(engine_database, [ENGINE, elsewhere]))
        other = await asyncpg.connect(engine_database)
        async with asyncio.timeout(30):
            while not await other.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                await asyncio.sleep(0)
            # Who comes behind the upgrade waits for a moment, and not for the transaction that holds the table.
            await other.execute("SELECT FROM messages LIMIT 1")
        await other.close()
        assert not upgrading.done()
    assert await upgrading == ["9002_post_things"]


async def test_a_database_of_another_product_is_left_alone(database: str) -> None:
    connection = await asyncpg.connect(database)
    await connection.execute("CREATE TABLE invoices (id bigint)")
    for refusing in (upgrade, plan, check_version):
        with pytest.raises(ConfigError, match=r"DATABASE_TAKEN.*invoices"):
            await refusing(database, [ENGINE])
    tables = await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
    await connection.close()
    assert tables == 1


async def test_tables_of_an_extension_are_nobodys(database: str) -> None:
    connection = await asyncpg.connect(database)
    await connection.execute("CREATE EXTENSION pg_stat_statements")  # brings two views
    await connection.close()
    assert await upgrade(database, [ENGINE]) == ENGINE_REVISIONS
