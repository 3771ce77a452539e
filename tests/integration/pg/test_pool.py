"""Connections and transactions against a real server."""

import asyncio

import asyncpg
import pytest

from bmn.core.errors import ConfigError, TimedOut, TransientError
from bmn.core.units import UINT256_MAX
from bmn.pg.embedded import check_server
from bmn.pg.pool import Pool, connection, open_pool, transaction


async def write_on_a_cut_connection(pool: Pool) -> None:
    async with transaction(pool) as conn:
        async with connection(pool) as other:
            await other.execute("SELECT pg_terminate_backend($1)", conn.get_server_pid())
        await conn.execute("SELECT 1")


async def test_a_numeric_is_a_python_int(database: str) -> None:
    async with open_pool(database) as pool, connection(pool) as conn:
        for value in (0, 1, UINT256_MAX, 10**77):
            assert await conn.fetchval("SELECT $1::numeric(78,0)", value) == value
        assert await conn.fetchval("SELECT sum(x) FROM unnest($1::numeric[]) x", [UINT256_MAX, 1]) == UINT256_MAX + 1


async def test_a_fraction_is_an_error_and_never_rounded(database: str) -> None:
    async with open_pool(database) as pool, connection(pool) as conn:
        with pytest.raises(ValueError, match="invalid literal"):
            await conn.fetchval("SELECT 0.5::numeric")


async def test_a_transaction_that_raises_leaves_nothing(database: str) -> None:
    async with open_pool(database, size=1) as pool:
        async with connection(pool) as conn:
            await conn.execute("CREATE TABLE t (n int)")
        with pytest.raises(asyncpg.DivisionByZeroError):
            async with transaction(pool) as conn:
                await conn.execute("INSERT INTO t SELECT 1/(1-n) FROM generate_series(0, 1) n")
        async with transaction(pool) as conn:
            await conn.execute("INSERT INTO t VALUES (2)")
        async with connection(pool) as conn:
            assert await conn.fetchval("SELECT array_agg(n) FROM t") == [2]


async def test_a_lost_connection_is_transient_and_the_pool_recovers(database: str) -> None:
    async with open_pool(database, size=2) as pool:
        with pytest.raises(TransientError, match="DATABASE_UNAVAILABLE"):
            await write_on_a_cut_connection(pool)
        async with connection(pool) as conn:
            assert await conn.fetchval("SELECT 1") == 1


async def test_a_connection_lost_during_commit_is_an_unknown_outcome(database: str) -> None:
    async with open_pool(database, size=2) as pool:
        async with connection(pool) as conn:
            await conn.execute(
                """
                CREATE TABLE t (n int);
                CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS
                    'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END';
                CREATE CONSTRAINT TRIGGER cut AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED
                    FOR EACH ROW EXECUTE FUNCTION cut();
                """
            )
        with pytest.raises(TransientError, match="COMMIT_UNKNOWN"):
            async with transaction(pool) as conn:
                await conn.execute("INSERT INTO t VALUES (1)")


async def test_a_mistake_of_ours_is_not_dressed_up_as_transient(database: str) -> None:
    async with open_pool(database) as pool:
        for statement in ("SELEC 1", "SELECT 1/0"):
            with pytest.raises(Exception, match=r"syntax|division") as caught:
                async with connection(pool) as conn:
                    await conn.execute(statement)
            assert not isinstance(caught.value, TransientError)


async def test_a_slow_statement_is_cut_off(database: str) -> None:
    async with open_pool(database, command_timeout=0.05) as pool:
        with pytest.raises(TimedOut, match="DATABASE_TIMEOUT"):
            async with connection(pool) as conn:
                await conn.execute("SELECT pg_sleep(60)")


async def test_refuses_a_server_that_is_not_there_or_does_not_want_us(postgres: str) -> None:
    with pytest.raises(ConfigError, match="DATABASE_UNREACHABLE"):
        await check_server("postgresql://bmn@127.0.0.1:1/bmn")
    with pytest.raises(ConfigError, match="DATABASE_REFUSED"):
        await check_server(postgres.replace("/postgres?", "/nowhere?"))
    with pytest.raises(ConfigError, match="DATABASE_UNREACHABLE"):
        async with open_pool("postgresql://bmn@127.0.0.1:1/bmn"):
            pass


async def test_refuses_a_database_in_another_encoding(postgres: str) -> None:
    admin = await asyncpg.connect(postgres)
    await admin.execute("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    try:
        with pytest.raises(ConfigError, match="DATABASE_ENCODING"):
            await check_server(postgres.replace("/postgres?", "/latin?"))
    finally:
        await admin.execute("DROP DATABASE latin")
        await admin.close()


async def test_closing_does_not_wait_for_a_server_that_is_gone(database: str) -> None:
    async with (
        asyncio.timeout(5),
        open_pool(database, size=2) as pool,
        connection(pool) as conn,
        connection(pool) as it,
    ):
        await it.execute("SELECT pg_terminate_backend($1)", conn.get_server_pid())


async def test_a_transaction_that_hangs_is_ended_by_the_server(database: str) -> None:
    async with open_pool(database, size=2) as pool, connection(pool) as watch:
        hanging = pool.acquire()
        conn = await hanging
        await conn.execute("BEGIN")
        pid = conn.get_server_pid()
        async with asyncio.timeout(30):
            while await watch.fetchval("SELECT count(*) FROM pg_stat_activity WHERE pid = $1", pid):
                await asyncio.sleep(0)
