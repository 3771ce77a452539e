"""Fixtures: one PostgreSQL server for the test session, a fresh database for each test.

`BMN_TEST_DATABASE_URL` names an outside server instead (its user must be allowed to create databases), and
`BMN_TEST_POOLER_URL` a pooler before it, through which tests then use their databases.
"""

import asyncio
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from bmn.pg.migrate import ENGINE, upgrade
from bmn.pg.place import choose_place
from bmn.pg.server import Server

T = TypeVar("T")

_numbers = count()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Address of a server where we may create databases."""
    outside = os.environ.get("BMN_TEST_DATABASE_URL")
    if outside is not None:
        yield outside
        return
    _sweep()
    home = Path(tempfile.mkdtemp(prefix=f"bmn-test-{os.getpid()}-", dir="/tmp"))
    home.chmod(0o755)  # the server may run as another user
    server = Server(choose_place(home))
    try:
        yield server.join()
    finally:
        server.leave()
        shutil.rmtree(home)


@pytest.fixture(scope="session")
def engine_template(postgres: str) -> Iterator[str]:
    """Name of a database with the engine's tables, to copy."""
    with fresh_database(postgres) as dsn:
        in_thread(upgrade(dsn, [ENGINE]))
        yield urlsplit(dsn).path[1:]


@pytest.fixture
def database(postgres: str) -> Iterator[str]:
    """Address of a new, empty database."""
    with fresh_database(postgres) as dsn:
        yield pooled(dsn)


@pytest.fixture
def engine_database(postgres: str, engine_template: str) -> Iterator[str]:
    """Address of a new database with the engine's tables."""
    with fresh_database(postgres, template=engine_template) as dsn:
        yield pooled(dsn)


@contextmanager
def fresh_database(server: str, *, template: str = "template0") -> Iterator[str]:
    """Make a database as a copy of `template`, and drop it at the end whoever still uses it."""
    name = f"t{os.getpid()}_{next(_numbers)}"
    in_thread(_execute(server, f"CREATE DATABASE {name} TEMPLATE {template}"))
    try:
        yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    finally:
        in_thread(_execute(server, f"DROP DATABASE {name} WITH (FORCE)"))


def pooled(dsn: str) -> str:
    """Return the address of the same database through the pooler that tests are to use, if there is one."""
    pooler = os.environ.get("BMN_TEST_POOLER_URL")
    return dsn if pooler is None else urlunsplit(urlsplit(pooler)._replace(path=urlsplit(dsn).path))


def login_as(dsn: str, user: str) -> str:
    """Return the address of the same database for another user."""
    return urlunsplit(urlsplit(dsn)._replace(netloc=f"{user}@"))


async def allow_login(dsn: str, *users: str) -> None:
    """Let roles log in."""
    connection = await asyncpg.connect(dsn)
    try:
        for user in users:
            await connection.execute(f"ALTER ROLE {user} LOGIN")
    finally:
        await connection.close()


def in_thread(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` in an event loop of its own, out of the way of the test's."""
    results: list[T] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            results.append(asyncio.run(work))
        except BaseException as failure:  # noqa: BLE001 - raised again below
            failures.append(failure)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return results[0]


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def _sweep() -> None:
    """Stop and remove what killed test runs left behind."""
    for home in Path("/tmp").glob("bmn-test-*-*"):
        match = re.fullmatch(r"bmn-test-(\d+)-.*", home.name)
        if match is None or home.stat().st_uid != os.geteuid() or Path(f"/proc/{match[1]}").exists():
            continue
        if (home / "postgres" / "data").exists():
            server = Server(choose_place(home))
            server.join()
            server.leave()
        shutil.rmtree(home)
