"""A local chain for vectors that need one: no gas price, any sender, blocks at chosen seconds; synchronous."""

import itertools
import json
import os
import re
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from bmn.bindings.escrow_logs import RawLog
from bmn.core.escrow_address import create_address
from bmn.core.units import Address, UnixTime
from bmn.evm.devkeys import DEV_ADDRESSES

_ANVIL = Path(__file__).resolve().parents[2] / "contracts/devnet/node_modules/.bin/anvil"
_ANSWER_WITHIN = 60.0
_GAS = 10_000_000
_GENESIS = 1_000_000_000


class Reverted(Exception):
    """A call or transaction was refused by a contract."""

    def __init__(self, data: bytes) -> None:
        super().__init__("0x" + data.hex())
        self.data = data


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a transaction ended."""

    ok: bool
    logs: tuple[RawLog, ...]
    created: Address | None


class LocalChain:
    """A running anvil whose blocks are mined one per transaction."""

    def __init__(self, url: str, chain_id: int) -> None:
        self.chain_id = chain_id
        self._url = url
        self._ids = itertools.count(1)

    def rpc(self, method: str, *params: object) -> Any:
        body = json.dumps({"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}).encode()
        request = urllib.request.Request(self._url, body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=_ANSWER_WITHIN) as response:
            answer = json.load(response)
        if "error" not in answer:
            return answer["result"]
        error = answer["error"]
        if error.get("code") == 3:
            raise Reverted(bytes.fromhex(error.get("data", "0x")[2:]))
        raise RuntimeError(f"{method}: {error}")

    def send(
        self, sender: Address, to: Address | None, data: bytes = b"", *, value: int = 0, at: UnixTime | None = None
    ) -> Outcome:
        """Mine one transaction, in a block of time `at`."""
        if at is not None:
            self.rpc("evm_setNextBlockTimestamp", at)
        tx = _transaction(sender, to, data, value)
        tx_hash = self.rpc("eth_sendTransaction", tx)
        deadline = time.monotonic() + _ANSWER_WITHIN
        while (receipt := self.rpc("eth_getTransactionReceipt", tx_hash)) is None:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{tx_hash} is not mined")
        return Outcome(
            ok=receipt["status"] == "0x1",
            logs=tuple(_log(raw) for raw in receipt["logs"]),
            created=None if receipt.get("contractAddress") is None else _address(receipt["contractAddress"]),
        )

    def must(
        self, sender: Address, to: Address | None, data: bytes = b"", *, value: int = 0, at: UnixTime | None = None
    ) -> Outcome:
        """Mine one transaction that must take effect."""
        outcome = self.send(sender, to, data, value=value, at=at)
        if not outcome.ok:
            self.simulate(sender, to, data, value=value, at=at)
            raise AssertionError("a transaction of the test's preparation failed")
        return outcome

    def simulate(
        self, sender: Address, to: Address | None, data: bytes, *, value: int = 0, at: UnixTime | None = None
    ) -> bytes:
        """Return what the call would answer in a block of time `at`.

        Raises:
            Reverted: it would be refused.
        """
        overrides = {} if at is None else {"time": hex(at)}
        answer = self.rpc("eth_call", _transaction(sender, to, data, value), "latest", {}, overrides)
        return bytes.fromhex(answer[2:])

    def deploy(self, sender: Address, init_code: bytes) -> Address:
        """Create a contract; return its address."""
        created = self.must(sender, None, init_code).created
        assert created is not None
        return created

    def deploy_at(self, address: Address, init_code: bytes) -> None:
        """Create a contract at an address that some early transaction of a dev account would have had.

        Raises:
            LookupError: no such transaction; vectors of another deployment cannot be replayed.
        """
        for account, nonce in itertools.product(DEV_ADDRESSES, range(256)):
            if create_address(account, nonce) == address:
                self.rpc("anvil_setNonce", str(account), hex(nonce))
                assert self.deploy(account, init_code) == address
                return
        raise LookupError(f"no dev account deploys to {address} with its first 256 transactions")

    def balance(self, account: Address) -> int:
        return int(self.rpc("eth_getBalance", str(account), "latest"), 16)

    def now(self) -> UnixTime:
        return UnixTime(int(self.rpc("eth_getBlockByNumber", "latest", False)["timestamp"], 16))

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Forget afterwards whatever happened inside."""
        snapshot = self.rpc("evm_snapshot")
        try:
            yield
        finally:
            self.rpc("evm_revert", snapshot)


@contextmanager
def open_local_chain(chain_id: int) -> Iterator[LocalChain]:
    """Run a fresh chain; it is gone afterwards."""
    binary = Path(os.environ.get("ANVIL_BIN", _ANVIL))
    if not binary.exists():
        raise FileNotFoundError(f"no anvil at {binary}; run `make setup`, or set ANVIL_BIN")
    arguments = ["--hardfork", "cancun", "--order", "fifo", "--prune-history", "128", "--auto-impersonate"]
    arguments += ["--base-fee", "0", "--gas-price", "0", "--disable-min-priority-fee"]
    arguments += ["--timestamp", str(_GENESIS), "--chain-id", str(chain_id), "--port", "0"]
    with TemporaryDirectory() as home:
        process = subprocess.Popen(
            [str(binary), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "HOME": home},
            text=True,
        )
        assert process.stdout is not None
        try:
            yield LocalChain(f"http://127.0.0.1:{_port(process.stdout)}", chain_id)
        finally:
            process.terminate()
            process.wait(timeout=10)
            process.stdout.close()


def _port(output: IO[str]) -> str:
    said = ""
    for line in output:
        said += line
        if found := re.search(r"Listening on 127\.0\.0\.1:(\d+)", line):
            # A full pipe would stop the chain.
            threading.Thread(target=output.read, daemon=True).start()
            return found[1]
    raise RuntimeError(f"anvil did not start: {said[-500:]}")


def _transaction(sender: Address, to: Address | None, data: bytes, value: int) -> dict[str, str]:
    tx = {
        "from": str(sender),
        "data": "0x" + data.hex(),
        "value": hex(value),
        "gas": hex(_GAS),
        "gasPrice": "0x0",
    }
    return tx if to is None else tx | {"to": str(to)}


def _log(raw: Mapping[str, Any]) -> RawLog:
    return RawLog(
        address=_address(raw["address"]),
        topics=tuple(bytes.fromhex(topic[2:]) for topic in raw["topics"]),
        data=bytes.fromhex(raw["data"][2:]),
    )


def _address(text: str) -> Address:
    return Address(bytes.fromhex(text[2:]))
