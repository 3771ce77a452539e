"""Starts one anvil, a local chain that ends with us, and steers its blocks, time and faults.

Seen with anvil 1.7.1: `anvil_reorg` announces no removed logs, and a reorganised empty block gets its old hash back;
so `reorg` changes the coinbase first. Move time with timestamps, not by mining thousands of blocks.
"""

import asyncio
import os
import re
import secrets
import shutil
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import aiohttp

from bmn.core.errors import ConfigError, TimedOut, TransientError
from bmn.core.units import Address, ChainId, Seconds, UnixTime, Wei
from bmn.evm.rpc import Answer, RpcEndpoint
from bmn.evm.types import Endpoint
from bmn.evm.wire import hex_data, quantity
from bmn.seams import SystemClock

_START_WITHIN: Final = 20.0
_CALL_WITHIN: Final = 60.0


class Anvil:
    """A running local chain. Its calls work from any event loop."""

    def __init__(self, *, chain_id: ChainId, port: int, pid: int) -> None:
        self.chain_id = chain_id
        self.pid = pid
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.ws_url = f"ws://127.0.0.1:{port}"

    @property
    def endpoint(self) -> Endpoint:
        """Where it is, for a chain client."""
        return Endpoint(name="anvil", url=self.url, ws_url=self.ws_url)

    async def rpc(self, method: str, *params: object) -> Any:
        """Return the result of any JSON-RPC method, as plain JSON values.

        Raises:
            ChainError, CallReverted: as every JSON-RPC call.
        """
        async with aiohttp.ClientSession() as session:
            rpc = RpcEndpoint(
                session, SystemClock(), chain=str(self.chain_id), name="anvil", url=self.url, answer_within=_CALL_WITHIN
            )
            return await rpc.call(method, params, _ANY)

    async def mine(self, blocks: int = 1) -> None:
        """Mine `blocks` blocks now, one second of chain time apart."""
        await self.rpc("anvil_mine", quantity(blocks))

    async def set_next_timestamp(self, at: UnixTime) -> None:
        """Give the next block this time; it must be later than the head's."""
        await self.rpc("evm_setNextBlockTimestamp", at)

    async def increase_time(self, by: Seconds) -> None:
        """Put the chain's clock forward; seen from the next block on."""
        await self.rpc("evm_increaseTime", by)

    async def set_balance(self, address: Address, balance: Wei) -> None:
        """Set a native balance."""
        await self.rpc("anvil_setBalance", hex_data(address), quantity(balance))

    async def set_automine(self, *, on: bool) -> None:
        """Mine a block per transaction, or only by interval and by `mine`."""
        await self.rpc("evm_setAutomine", on)

    async def set_interval(self, seconds: int) -> None:
        """Mine a block every `seconds`; 0 stops."""
        await self.rpc("evm_setIntervalMining", seconds)

    async def impersonate(self, address: Address) -> None:
        """Accept unsigned transactions (`eth_sendTransaction`) of `address`."""
        await self.rpc("anvil_impersonateAccount", hex_data(address))

    async def snapshot(self) -> str:
        """Remember the present state; return its name."""
        return str(await self.rpc("evm_snapshot"))

    async def revert(self, snapshot: str) -> None:
        """Return to a snapshot, once. Nobody is told, and blocks mined again may get their old hashes."""
        await self.rpc("evm_revert", snapshot)

    async def rollback(self, depth: int) -> None:
        """Forget the last `depth` blocks. Nobody is told until the next block."""
        await self.rpc("anvil_rollback", depth)

    async def reorg(self, depth: int, txs: Sequence[tuple[bytes, int]] = ()) -> None:
        """Replace the last `depth` blocks by as many others, all with new hashes.

        Their transactions are dropped for good. `txs` are signed ones to mine instead, each with the number of its
        block counted from the first replaced one (0).
        """
        await self.rpc("anvil_setCoinbase", hex_data(secrets.token_bytes(20)))
        await self.rpc("anvil_reorg", depth, [[hex_data(raw), block] for raw, block in txs])


@asynccontextmanager
async def open_anvil(
    chain_id: ChainId,
    *,
    block_time: float | None = None,
    port: int = 0,
    genesis_time: UnixTime | None = None,
    work_dir: Path | None = None,
) -> AsyncIterator[Anvil]:
    """Run a fresh chain on loopback; it is gone afterwards, and also if this process is killed.

    `block_time` None mines a block per transaction. `port` 0 picks a free one. Its files go to a new directory under
    `work_dir`, removed at the end.

    Raises:
        ConfigError: ANVIL_MISSING.
        TransientError: ANVIL_FAILED, with its last words; a taken port for one.
    """
    flags = ["--chain-id", str(chain_id), "--port", str(port)]
    if block_time is not None:
        flags += ["--block-time", f"{block_time:g}"]
    if genesis_time is not None:
        flags += ["--timestamp", str(genesis_time)]
    with TemporaryDirectory(prefix="bmn-anvil-", dir=work_dir) as folder:
        process = _start(_find_anvil(), flags, folder)
        try:
            await asyncio.to_thread(process.wait_ready)
            yield Anvil(chain_id=chain_id, port=process.port, pid=process.pid)
        finally:
            process.end()


_ANY: Answer[Any] = Answer(object, lambda value: value)

_FLAGS: Final = (
    *("--host", "127.0.0.1"),
    *("--prune-history", "128"),  # without it, every old block becomes a file; it also bounds the depth of reorgs
    *("--hardfork", "cancun"),
    *("--order", "fifo"),
    *("--slots-in-an-epoch", "1"),  # safe is head - 1, finalized is head - 2
    *("--gas-limit", "1000000000"),
)


def _find_anvil() -> str:
    named = os.environ.get("ANVIL_BIN")
    if named:
        if shutil.which(named):
            return named
        raise ConfigError("ANVIL_MISSING", f"ANVIL_BIN names {named}, which does not run", hint="unset or correct it")
    for folder in Path(__file__).resolve().parents:
        installed = folder / "contracts/devnet/node_modules/.bin/anvil"
        if os.access(installed, os.X_OK):
            return str(installed)
    on_path = shutil.which("anvil")
    if on_path is None:
        raise ConfigError(
            "ANVIL_MISSING",
            "no anvil: not in contracts/devnet, not on PATH",
            hint="run: cd contracts/devnet && npm ci --ignore-scripts, or set ANVIL_BIN",
        )
    return on_path


class _Process:
    """An anvil that has said where it listens. A thread reads its output to the end: a full pipe would stop it."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.pid = process.pid
        self.port = 0
        self._process = process
        self._ready = threading.Event()
        self._words: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_ready(self) -> None:
        """Return once the port is known.

        Raises:
            TransientError: it ended before, or did not get ready in time.
        """
        if not self._ready.wait(_START_WITHIN):
            raise TimedOut("ANVIL_FAILED", f"anvil was not ready within {_START_WITHIN:g} s")
        if not self.port:
            raise TransientError("ANVIL_FAILED", f"anvil ended at once: {' '.join(self._words)[-300:]}")

    def end(self) -> None:
        """Kill it: it has nothing to save."""
        self._process.kill()
        self._process.wait()
        self._reader.join()

    def _read(self) -> None:
        output = self._process.stdout
        assert output is not None
        with output:
            for line in output:
                if self._ready.is_set():
                    continue
                self._words.append(line.decode(errors="replace").strip())
                found = re.search(rb"Listening on 127\.0\.0\.1:(\d+)", line)
                if found:
                    self.port = int(found[1])
                    self._ready.set()
        self._ready.set()


def _start(binary: str, flags: list[str], folder: str) -> _Process:
    command = [binary, *_FLAGS, *flags, "--cache-path", folder]
    if sys.platform == "linux":
        command = [sys.executable, "-I", "-S", "-c", _DIE_WITH_PARENT, str(os.getpid()), *command]
    return _Process(
        subprocess.Popen(  # noqa: S603 - a binary we looked up, arguments we built
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=os.environ | {"HOME": folder, "NO_COLOR": "1"},
            process_group=0,  # Ctrl-C is for us: whoever uses the chain ends first
        )
    )


# Becomes anvil, in the same process, after asking the kernel for SIGKILL (9) when the thread that started it ends
# (PR_SET_PDEATHSIG is 1). Not a preexec_fn: running Python between fork and exec can deadlock beside threads.
# Source: Linux prctl(2).
_DIE_WITH_PARENT: Final = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 9)
if os.getppid() != int(sys.argv[1]): os._exit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""
