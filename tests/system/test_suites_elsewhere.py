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
SUITES = ("tests/integration/pg", "tests/integration/store")
EMBEDDED = ("tests/integration/pg/test_embedded.py", "tests/integration/pg/test_embedded_shared.py")
WORK = ("queue", "queue_laws", "worker", "leases", "kv", "dead_and_depth")


async def run_suites(environment: dict[str, str], *words: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pytest", *words, "-m", "not drill and not system"),
        # A file in one process: roles belong to the whole server.
        *("-n", "2", "--dist", "loadfile", "-p", "no:cacheprovider", "-q", "--no-header"),
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
            await process.wait()
    assert process.returncode == 0, said.decode()[-5000:]
    assert b"skipped" not in said


@pytest.mark.timeout(600)
async def test_engine_and_store_work_on_the_oldest_server(oldest_postgres: str) -> None:
    conn = await asyncpg.connect(oldest_postgres)
    assert conn.get_server_version().major == OLDEST
    await conn.close()
    left_out = [f"--ignore={path}" for path in EMBEDDED]
    await run_suites({"BMN_TEST_DATABASE_URL": oldest_postgres}, *SUITES, *left_out)


@pytest.mark.timeout(600)
async def test_the_engine_works_through_a_pooler(oldest_postgres: str) -> None:
    files = [f"tests/integration/pg/test_{name}.py" for name in WORK]
    with pgbouncer(oldest_postgres, size=8) as pooler:
        environment = {"BMN_TEST_DATABASE_URL": oldest_postgres, "BMN_TEST_POOLER_URL": pooler}
        await run_suites(environment, *files, "tests/integration/store/test_orders_and_swaps.py")
