"""The engine's and the store's tests again: on the oldest PostgreSQL that we promise, and through a pooler.

Every `make test` runs them on the embedded PostgreSQL.
"""

import asyncio
import os
import sys
from pathlib import Path

import asyncpg
import pytest
from tests.support.debian import pgbouncer

from bmn.pg.embedded import OLDEST

ROOT = Path(__file__).parents[2]
EMBEDDED = ["tests/integration/pg/test_embedded.py", "tests/integration/pg/test_embedded_shared.py"]
SESSIONS = ["tests/integration/pg/test_pool.py", "tests/integration/pg/test_wake.py"]


async def run_suites(environment: dict[str, str], *, without: list[str]) -> None:
    left_out = [f"--ignore={path}" for path in without]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pytest", "tests/integration/pg", "tests/integration/store", *left_out),
        *("-m", "not drill and not system", "-p", "no:cacheprovider", "-q", "--no-header"),
        cwd=ROOT,
        env=os.environ | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, said.decode()[-5000:]
    assert b"skipped" not in said


@pytest.mark.timeout(300)
async def test_engine_and_store_work_on_the_oldest_server(oldest_postgres: str) -> None:
    conn = await asyncpg.connect(oldest_postgres)
    assert conn.get_server_version().major == OLDEST
    await conn.close()
    await run_suites({"BMN_TEST_DATABASE_URL": oldest_postgres}, without=EMBEDDED)


@pytest.mark.timeout(300)
async def test_engine_and_store_work_through_a_pooler(oldest_postgres: str) -> None:
    with pgbouncer(oldest_postgres, size=8) as pooler:
        await run_suites(
            {"BMN_TEST_DATABASE_URL": oldest_postgres, "BMN_TEST_POOLER_URL": pooler}, without=EMBEDDED + SESSIONS
        )
