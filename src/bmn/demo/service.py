"""The resolver as a process of its own: `bmn run`, started, stalled, resumed and stopped by its pid."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp

from bmn.core.errors import TransientError
from bmn.devnet.world import Devnet
from bmn.seams import SystemClock

_READY_WITHIN = 60.0
_STOP_WITHIN = 20.0


class RunningBmn:
    """A running `bmn run`."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self.log = log

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Whether it is gone."""
        return self._process.returncode is not None

    def stall(self) -> None:
        """Freeze it: it neither answers nor works, as if its machine hung."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        os.kill(self.pid, signal.SIGCONT)


@asynccontextmanager
async def open_service(devnet: Devnet) -> AsyncIterator[RunningBmn]:
    """Run all roles against `devnet` until the block ends.

    Raises:
        TransientError: `SERVICE_NOT_READY`: it ended, or was not ready in a minute; its log says why.
    """
    log = devnet.home / "bmn.log"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BMN_")}
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bmn",
            "run",
            "--config",
            str(devnet.config_path),
            stdout=output,
            stderr=output,
            env=environment | {"BMN_HOME": str(devnet.home)},
            start_new_session=True,
        )
    service = RunningBmn(process, log)
    try:
        await _wait_ready(service, devnet.api_url)
        yield service
    finally:
        await _stop(process)


async def _wait_ready(service: RunningBmn, url: str) -> None:
    try:
        async with asyncio.timeout(_READY_WITHIN), aiohttp.ClientSession() as session:
            while not await _is_ready(session, url):
                if service.has_ended:
                    raise _not_ready(service.log, "it ended")
                await SystemClock().sleep(0.1)
    except TimeoutError:
        raise _not_ready(service.log, f"it was not ready within {_READY_WITHIN:.0f} s") from None


async def _is_ready(session: aiohttp.ClientSession, url: str) -> bool:
    with suppress(aiohttp.ClientError, TimeoutError):
        async with session.get(f"{url}/ready", timeout=aiohttp.ClientTimeout(total=2)) as answer:
            return answer.status == 200
    return False


def _not_ready(log: Path, why: str) -> TransientError:
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-5:])
    return TransientError("SERVICE_NOT_READY", f"the resolver did not start: {why}", hint=f"its log ends with: {tail}")


async def _stop(process: asyncio.subprocess.Process) -> None:
    """Ask it to end, wake it in case it is stalled, and insist when it does not."""
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGCONT)
        process.terminate()
    try:
        async with asyncio.timeout(_STOP_WITHIN):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
