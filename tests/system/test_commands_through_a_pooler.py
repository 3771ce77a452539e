"""Commands on a database behind Debian's pgbouncer."""

import asyncio
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.support.debian import pgbouncer


@pytest.fixture
def through(database: str) -> Iterator[str]:
    """Address of the test's database through a pooler."""
    with pgbouncer(database, users=[urlsplit(database).username or ""]) as dsn:
        yield dsn


async def run(tmp_path: Path, *words: str, **settings: str) -> tuple[int, str, str]:
    """Return exit code, answer and remarks of a command with no file of settings."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bmn", *words),
        cwd=tmp_path,
        env=os.environ | settings,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        answer, said = await process.communicate()
    assert process.returncode is not None
    return process.returncode, answer.decode(), said.decode()


async def test_migrate_shows_what_it_would_do_and_does_it_once(tmp_path: Path, through: str) -> None:
    code, answer, _ = await run(tmp_path, "migrate", "--plan", "--json", BMN_DATABASE_URL=through)
    planned = [revision["name"] for revision in json.loads(answer)["planned"]]
    assert (code, planned[0]) == (0, "0001_pre_engine")
    code, answer, _ = await run(tmp_path, "migrate", "--grant-roles", "--json", BMN_DATABASE_URL=through)
    done = json.loads(answer)
    assert (code, done["applied"]) == (0, planned)
    assert "gave table swaps to bmn_migrate" in done["rights"]
    for words in (["migrate", "--plan"], ["migrate", "--grant-roles"], ["migrate"]):
        assert await run(tmp_path, *words, BMN_DATABASE_URL=through) == (0, "nothing to do\n", "")


async def test_doctor_says_what_a_direct_address_would_help(tmp_path: Path, through: str, database: str) -> None:
    settings = {"BMN_DATABASE_URL": through}
    await run(tmp_path, "migrate", **settings)
    _, _, said = await run(tmp_path, "doctor", **settings)
    assert "BMN_DATABASE_DIRECT_URL" in said
    _, _, said = await run(tmp_path, "doctor", **settings, BMN_DATABASE_DIRECT_URL=database)
    assert "BMN_DATABASE_DIRECT_URL" not in said


async def test_a_direct_address_alone_is_refused(tmp_path: Path, database: str) -> None:
    code, _, said = await run(tmp_path, "migrate", BMN_DATABASE_DIRECT_URL=database)
    assert code == 4
    assert said.startswith("CONFIG_INVALID")
    assert "database_url" in said
