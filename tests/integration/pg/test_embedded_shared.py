"""The launcher of the embedded server: several processes, some of them killed."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from bmn.pg.filelock import open_owned, try_exclusive
from bmn.pg.waiting import wait_until

PROGRAM = Path(__file__).parents[2] / "support" / "database_user.py"


class Users:
    """Processes that use the database of one home."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.running: list[subprocess.Popen[str]] = []

    def start(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, str(PROGRAM), str(self.home), str(self.home.parent / "system")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.running.append(process)
        return process

    def postmaster(self) -> int:
        return int((self.home / "postgres" / "data" / "postmaster.pid").read_text().split("\n", 1)[0])

    def served(self) -> bool:
        lock = open_owned(self.home / "postgres" / "server.lock")
        try:
            return not try_exclusive(lock)
        finally:
            os.close(lock)


def ready(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    dsn = process.stdout.readline().strip()
    assert dsn
    return dsn


def leave(process: subprocess.Popen[str]) -> None:
    process.communicate(timeout=60)
    assert process.returncode == 0


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate(timeout=60)


def ask(dsn: str, query: str) -> object:
    async def work() -> object:
        connection = await asyncpg.connect(dsn)
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    return asyncio.run(work())


@pytest.fixture
def users() -> Iterator[Users]:
    folder = Path(tempfile.mkdtemp(prefix="bmn-pg-test-", dir="/tmp"))
    folder.chmod(0o755)
    (folder / "home").mkdir(mode=0o755)
    everybody = Users(folder / "home")
    yield everybody
    for process in everybody.running:
        if process.poll() is None:
            kill(process)
    if everybody.served():
        os.kill(everybody.postmaster(), signal.SIGQUIT)
        assert wait_until(lambda: not everybody.served(), 30)
    shutil.rmtree(folder)


@pytest.mark.parametrize("count", [2, 4])
def test_processes_that_start_together_share_one_server(users: Users, count: int) -> None:
    processes = [users.start() for _ in range(count)]
    addresses = {ready(process) for process in processes}
    assert len(addresses) == 1
    before = users.postmaster()
    for process in processes[:-1]:
        leave(process)
        assert users.served()
        assert users.postmaster() == before
    leave(processes[-1])
    assert not users.served()


def test_the_server_goes_on_when_its_starter_is_killed(users: Users) -> None:
    starter = users.start()
    dsn = ready(starter)
    ask(dsn, "CREATE TABLE t AS SELECT 7 AS n")
    other = users.start()
    ready(other)
    before = users.postmaster()
    kill(starter)
    assert ask(dsn, "SELECT n FROM t") == 7
    assert users.postmaster() == before
    leave(other)
    assert not users.served()


def test_an_orphan_is_adopted_and_stopped_by_the_next_user(users: Users) -> None:
    only = users.start()
    ready(only)
    before = users.postmaster()
    kill(only)
    assert users.served()
    heir = users.start()
    ready(heir)
    assert users.postmaster() == before
    leave(heir)
    assert not users.served()


def test_a_server_killed_as_an_orphan_is_started_again(users: Users) -> None:
    """Where process 1 does not reap, the dead server stays a zombie whose number looks alive."""
    only = users.start()
    ask(ready(only), "CREATE TABLE t AS SELECT 7 AS n")
    kill(only)
    os.kill(users.postmaster(), signal.SIGKILL)
    heir = users.start()
    assert ask(ready(heir), "SELECT n FROM t") == 7
    leave(heir)


def test_every_user_of_a_killed_server_gets_it_back(users: Users) -> None:
    processes = [users.start() for _ in range(3)]
    [dsn] = {ready(process) for process in processes}
    kill(processes[0])
    before = users.postmaster()
    os.kill(before, signal.SIGKILL)

    def back() -> bool:
        try:
            return ask(dsn, "SELECT 1") == 1 and users.postmaster() != before
        except (OSError, asyncpg.PostgresError):
            return False

    assert wait_until(back, 30)
    leave(processes[1])
    assert ask(dsn, "SELECT 1") == 1
    leave(processes[2])
    assert not users.served()


def test_an_initdb_that_outlives_its_starter_is_not_disturbed(users: Users) -> None:
    for _ in range(3):
        starter = users.start()
        assert wait_until((users.home / "postgres" / "data.partial" / "PG_VERSION").exists, 30)
        kill(starter)
    heirs = [users.start() for _ in range(2)]
    for heir in heirs:
        assert ask(ready(heir), "SELECT 1") == 1
    for heir in heirs:
        leave(heir)
    assert not users.served()


def test_killing_a_process_at_any_moment_of_the_start_harms_nobody(users: Users) -> None:
    """Kills at rising delays, so that initdb, the start and the first connection are all hit."""
    for step in range(8):
        victim = users.start()
        until = time.monotonic() + 0.2 * step
        wait_until(lambda: time.monotonic() >= until, 10)  # noqa: B023 - used at once
        kill(victim)
    survivor = users.start()
    assert ask(ready(survivor), "SELECT 1") == 1
    leave(survivor)
    assert not users.served()
