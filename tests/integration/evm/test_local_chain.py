"""The launcher of local chains: what starts ends, whatever happens to us."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bmn.core.errors import ConfigError, TransientError
from bmn.core.units import Address, ChainId, Seconds, UnixTime, Wei
from bmn.devnet.anvil import Anvil, open_anvil

PARENT = """
import asyncio
from bmn.devnet.anvil import open_anvil

async def main() -> None:
    async with open_anvil(31337) as chain:
        print(chain.pid, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def gone(pid: int) -> bool:
    async with asyncio.timeout(10):
        while Path(f"/proc/{pid}").exists() and "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text():
            await asyncio.sleep(0)
    return True


async def number(anvil: Anvil) -> int:
    return int(await anvil.rpc("eth_blockNumber"), 16)


async def block(anvil: Anvil, tag: str = "latest") -> dict[str, str]:
    found: dict[str, str] = await anvil.rpc("eth_getBlockByNumber", tag, False)
    return found


async def test_a_chain_ends_with_its_block_and_leaves_no_files(tmp_path: Path) -> None:
    async with open_anvil(ChainId(777), work_dir=tmp_path) as anvil:
        assert int(await anvil.rpc("eth_chainId"), 16) == 777
        assert len(list(tmp_path.iterdir())) == 1
    assert await gone(anvil.pid)
    assert list(tmp_path.iterdir()) == []


async def test_a_chain_ends_when_its_user_fails() -> None:
    with pytest.raises(ZeroDivisionError):
        async with open_anvil(ChainId(31337)) as anvil:
            raise ZeroDivisionError
    assert await gone(anvil.pid)


async def test_a_chain_does_not_survive_a_killed_parent() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        pid = int(parent.stdout.readline())
        assert Path(f"/proc/{pid}").exists()
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
    assert await gone(pid)


async def test_a_taken_port_is_reported_with_anvils_words() -> None:
    async with open_anvil(ChainId(31337)) as anvil:
        with pytest.raises(TransientError) as caught:
            async with open_anvil(ChainId(31337), port=anvil.port):
                pass
        assert caught.value.code == "ANVIL_FAILED"
        assert "in use" in caught.value.detail


async def test_a_missing_binary_is_a_matter_of_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANVIL_BIN", "/nowhere/anvil")
    with pytest.raises(ConfigError) as caught:
        async with open_anvil(ChainId(31337)):
            pass
    assert caught.value.code == "ANVIL_MISSING"


async def test_a_chain_can_start_in_the_past_and_mine_by_interval() -> None:
    async with open_anvil(ChainId(31337), block_time=1, genesis_time=UnixTime(1_600_000_000)) as anvil:
        async with asyncio.timeout(10):
            while await number(anvil) < 1:
                pass
        assert 1_600_000_000 <= int((await block(anvil))["timestamp"], 16) < 1_600_000_100
        await anvil.set_interval(0)
        before = await number(anvil)
        await anvil.mine(2)
        assert await number(anvil) == before + 2


async def test_time_moves_as_told(anvil: Anvil) -> None:
    now = int((await block(anvil))["timestamp"], 16)
    await anvil.set_next_timestamp(UnixTime(now + 1000))
    await anvil.mine()
    assert int((await block(anvil))["timestamp"], 16) == now + 1000
    await anvil.increase_time(Seconds(500))
    await anvil.mine()
    assert int((await block(anvil))["timestamp"], 16) >= now + 1500


async def test_a_reorg_keeps_the_height_and_changes_every_hash_even_of_empty_blocks(anvil: Anvil) -> None:
    await anvil.mine(5)
    head = await number(anvil)
    before = [(await block(anvil, hex(head - back)))["hash"] for back in range(4)]
    await anvil.reorg(3)
    after = [(await block(anvil, hex(head - back)))["hash"] for back in range(4)]
    assert await number(anvil) == head
    assert [old == new for old, new in zip(before, after, strict=True)] == [False, False, False, True]


async def test_a_rollback_and_a_snapshot_lower_the_head(anvil: Anvil) -> None:
    await anvil.mine(3)
    head = await number(anvil)
    await anvil.rollback(2)
    assert await number(anvil) == head - 2
    snapshot = await anvil.snapshot()
    await anvil.mine(4)
    await anvil.revert(snapshot)
    assert await number(anvil) == head - 2


async def test_an_impersonated_account_can_send_what_it_was_given(anvil: Anvil) -> None:
    somebody = Address(b"\x55" * 20)
    await anvil.set_balance(somebody, Wei(10**18))
    await anvil.impersonate(somebody)
    sent = {"from": str(somebody), "to": "0x" + "66" * 20, "value": "0x7"}
    await anvil.rpc("eth_sendTransaction", sent)
    await anvil.mine()
    assert int(await anvil.rpc("eth_getBalance", "0x" + "66" * 20, "latest"), 16) == 7


async def test_two_chains_run_side_by_side(two_chains: tuple[Anvil, Anvil]) -> None:
    assert [int(await chain.rpc("eth_chainId"), 16) for chain in two_chains] == [31337, 31338]
