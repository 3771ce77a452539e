"""Processes of a drill: started, killed, paused, stopped; what they logged is kept."""

import asyncio
import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.support.drill_case import until

ROOT = Path(__file__).parents[2]
_STOP_SECONDS = 30.0


class Fleet:
    """Processes that all run one program."""

    def __init__(self, program: Path, arguments: list[str], folder: Path) -> None:
        self._program = program
        self._arguments = arguments
        self._folder = folder
        self._logs: dict[subprocess.Popen[bytes], Path] = {}
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self) -> subprocess.Popen[bytes]:
        """Start one more; returns before it works."""
        number = len(self._logs)
        path = self._folder / f"{self._program.stem}-{number}.log"
        with path.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, str(self._program), *self._arguments, str(number)],
                cwd=ROOT,
                env={"PYTHONPATH": f"{ROOT}:{ROOT / 'src'}", "PATH": ""},
                stdout=log,
                stderr=log,
            )
        self._logs[process] = path
        self.running.append(process)
        return process

    async def are_up(self) -> bool:
        """Whether every process that was not killed came up."""
        return all(b'"working"' in self._logs[process].read_bytes() for process in self.running)

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """Kill by SIGKILL."""
        process.kill()
        process.wait()
        self.running.remove(process)

    async def stop(self) -> None:
        """Ask all to end; each must still run, and end well."""
        await until(self.are_up, "all processes are up", seconds=60)
        assert [process.poll() for process in self.running] == [None] * len(self.running), self.tail()
        for process in self.running:
            process.send_signal(signal.SIGTERM)
        for process in self.running:
            assert await asyncio.to_thread(process.wait, _STOP_SECONDS) == 0, self.tail()
        self.running.clear()

    def events(self) -> Iterator[dict[str, Any]]:
        """Return what was logged so far; anything else that was printed is a failure."""
        for log in self._logs.values():
            for line in log.read_bytes().splitlines(keepends=True):
                if line.endswith(b"\n"):  # else the process was killed as it wrote
                    yield json.loads(line)

    def counted(self) -> Counter[str]:
        """Return how often each event was logged; the failures of messages as `message_failed CODE`."""
        return Counter(" ".join(filter(None, (event["event"], event.get("code")))) for event in self.events())

    def check_calm(self) -> None:
        """Fail if anything was unexpected, or a person would have been told."""
        bad = [event for event in self.events() if event["event"] == "reported" or event.get("code") == "UNEXPECTED"]
        assert not bad, bad[:3]

    def tail(self) -> str:
        """Return the last lines of every process."""
        return "\n".join(f"{log.name}: {log.read_text()[-2000:]}" for log in self._logs.values())


@asynccontextmanager
async def open_fleet(program: str, arguments: list[str], folder: Path, count: int) -> AsyncIterator[Fleet]:
    """Start `count` processes of `tests/support/PROGRAM`; at the end of the block they must all still run, and stop.

    The program logs `working` once it is up.
    """
    fleet = Fleet(Path(__file__).parent / program, arguments, folder)
    try:
        for _ in range(count):
            fleet.start()
        await until(fleet.are_up, "all processes are up", seconds=60)
        yield fleet
        await fleet.stop()
        fleet.check_calm()
    finally:
        for process in list(fleet.running):
            fleet.kill(process)  # a paused one, too
