"""A PostgreSQL of the drill's own, to be stopped, killed and restarted under its users."""

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.postgres import in_thread

from bmn.pg.filelock import open_owned, try_exclusive
from bmn.pg.migrate import ENGINE, upgrade
from bmn.pg.place import choose_place
from bmn.pg.server import Server
from bmn.pg.waiting import wait_until

_DOWN_SECONDS = 30.0


class OwnServer:
    """The server; its address stays the same."""

    def __init__(self, home: Path) -> None:
        self._place = choose_place(home)
        self._server = Server(self._place)

    def open(self) -> str:
        """Start it; return the address of a database with the engine's tables."""
        dsn = self._server.join()
        in_thread(upgrade(dsn, [ENGINE]))
        return dsn

    def close(self) -> None:
        """Stop it for good."""
        self._server.leave()

    async def stop(self, kind: signal.Signals = signal.SIGQUIT) -> None:
        """End it: SIGQUIT drops everything as a crash does (`immediate`), SIGINT closes in order (`fast`)."""
        pid_file = self._place.data / "postmaster.pid"
        os.kill(int(pid_file.read_text().split("\n", 1)[0]), kind)
        assert await asyncio.to_thread(wait_until, self._is_gone, _DOWN_SECONDS)

    async def start(self) -> None:
        """Start it again; returns when it takes connections."""
        await asyncio.to_thread(self._server.revive)

    def _is_gone(self) -> bool:
        lock = open_owned(self._place.base / "server.lock")
        try:
            return try_exclusive(lock)
        finally:
            os.close(lock)


@asynccontextmanager
async def open_own_server() -> AsyncIterator[tuple[OwnServer, str]]:
    """Yield a new server and the address of its database; all of it is gone after the block."""
    home = Path(tempfile.mkdtemp(prefix=f"bmn-test-{os.getpid()}-drill-", dir="/tmp"))
    home.chmod(0o755)  # the server may run as another user
    server = OwnServer(home)
    try:
        yield server, await asyncio.to_thread(server.open)
    finally:
        await asyncio.to_thread(server.close)
        await asyncio.to_thread(shutil.rmtree, home)
