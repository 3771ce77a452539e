"""Nodes that lag, that are on another branch, that leave logs out, and that are as strict as real ones."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from tests.support.fault_dialects import TOO_WIDE
from tests.support.fault_node import Granted, OtherBranch, StrictPool, without_logs
from tests.support.fault_proxy import FaultProxy
from tests.support.fault_rules import Edits

from bmn.core.units import ChainId, Gas, Nonce, Wei
from bmn.devnet.anvil import Anvil
from bmn.evm.devkeys import DEV_ADDRESSES, dev_signer
from bmn.evm.tx import UnsignedTx, sign_tx

SENDER, RECEIVER = str(DEV_ADDRESSES[7]), str(DEV_ADDRESSES[8])
EMITTER = "0x" + "e1" * 20
_EMITS = "0x60006000a000"  # a log without topics and data, then stop


@dataclass
class Chain:
    """Asks a node; `proxy` is the faulty one."""

    anvil: Anvil
    session: aiohttp.ClientSession

    async def ask(self, proxy: FaultProxy, method: str, *params: object) -> Any:
        asked = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        async with self.session.post(proxy.url, json=asked) as response:
            return await response.json()

    async def result(self, proxy: FaultProxy, method: str, *params: object) -> Any:
        return (await self.ask(proxy, method, *params))["result"]

    async def mined(self) -> dict[str, Any]:
        """Mine one transaction with one log; return its receipt."""
        sent = await self.anvil.rpc("eth_sendTransaction", {"from": SENDER, "to": EMITTER, "gas": "0x186a0"})
        await self.anvil.mine()  # automine answers before the block is there
        receipt = await self.anvil.rpc("eth_getTransactionReceipt", sent)
        assert isinstance(receipt, dict)
        return receipt


@pytest.fixture
async def chain(anvil: Anvil) -> AsyncIterator[Chain]:
    await anvil.rpc("anvil_setCode", EMITTER, _EMITS)
    async with aiohttp.ClientSession() as session:
        yield Chain(anvil, session)


async def test_a_node_that_lags_knows_nothing_later(proxy: FaultProxy, chain: Chain) -> None:
    await chain.mined()
    old = int(await chain.anvil.rpc("eth_blockNumber"), 16)
    receipt = await chain.mined()
    proxy.behind.height = old
    assert await chain.result(proxy, "eth_blockNumber") == hex(old)
    for tag, number in (("latest", old), ("safe", old - 1), ("finalized", old - 2)):
        assert (await chain.result(proxy, "eth_getBlockByNumber", tag, False))["number"] == hex(number)
    assert await chain.result(proxy, "eth_getBlockByNumber", hex(old), False) is not None
    assert await chain.result(proxy, "eth_getBlockByNumber", hex(old + 1), False) is None
    assert await chain.result(proxy, "eth_getBlockByHash", receipt["blockHash"], False) is None
    assert await chain.result(proxy, "eth_getTransactionReceipt", receipt["transactionHash"]) is None
    heard = await chain.result(proxy, "eth_getTransactionByHash", receipt["transactionHash"])
    assert heard["blockNumber"] is None
    assert "error" in await chain.ask(proxy, "eth_getLogs", {"blockHash": receipt["blockHash"]})
    span = {"fromBlock": "0x0", "toBlock": hex(old + 2)}
    known = await chain.result(proxy, "eth_getLogs", span)
    assert known
    assert all(int(log["blockNumber"], 16) <= old for log in known)
    assert await chain.result(proxy, "eth_getLogs", {"fromBlock": hex(old + 1), "toBlock": hex(old + 2)}) == []
    now = int(await chain.anvil.rpc("eth_getTransactionCount", SENDER, "latest"), 16)
    assert int(await chain.result(proxy, "eth_getTransactionCount", SENDER, "latest"), 16) == now - 1
    assert "error" in await chain.ask(proxy, "eth_getBalance", SENDER, hex(old + 1))
    proxy.behind.height = None
    assert await chain.result(proxy, "eth_blockNumber") == await chain.anvil.rpc("eth_blockNumber")


async def test_another_branch_fits_itself_and_differs_from_the_fork_on(proxy: FaultProxy, chain: Chain) -> None:
    receipt = await chain.mined()
    await chain.anvil.mine(3)
    first = int(receipt["blockNumber"], 16)
    proxy.when("*", OtherBranch(first))
    blocks = [
        await chain.result(proxy, "eth_getBlockByNumber", hex(number), False) for number in range(first - 1, first + 3)
    ]
    real = [await chain.anvil.rpc("eth_getBlockByNumber", block["number"], False) for block in blocks]
    assert [one["hash"] == other["hash"] for one, other in zip(blocks, real, strict=True)] == [
        True,
        False,
        False,
        False,
    ]
    assert [block["parentHash"] for block in blocks[1:]] == [block["hash"] for block in blocks[:-1]]
    same = await chain.result(proxy, "eth_getBlockByHash", blocks[1]["hash"], False)
    assert same == blocks[1]
    logs = await chain.result(proxy, "eth_getLogs", {"blockHash": blocks[1]["hash"]})
    assert [log["blockHash"] for log in logs] == [blocks[1]["hash"]]


async def test_logs_are_left_out_and_the_header_keeps_its_bloom(proxy: FaultProxy, chain: Chain) -> None:
    receipt = await chain.mined()
    proxy.when("eth_getLogs", Edits(without_logs(lambda log: log["transactionHash"] == receipt["transactionHash"])))
    assert await chain.result(proxy, "eth_getLogs", {"blockHash": receipt["blockHash"]}) == []
    head = await chain.result(proxy, "eth_getBlockByHash", receipt["blockHash"], False)
    assert int(head["logsBloom"], 16) != 0


async def test_a_range_is_granted_up_to_its_blocks_and_results(proxy: FaultProxy, chain: Chain) -> None:
    receipts = [await chain.mined() for _ in range(3)]
    first, last = receipts[0]["blockNumber"], receipts[2]["blockNumber"]
    width = int(last, 16) - int(first, 16) + 1

    async def granted(first: str, last: str) -> bool:
        return "result" in await chain.ask(proxy, "eth_getLogs", {"fromBlock": first, "toBlock": last})

    by_blocks = proxy.when("eth_getLogs", Granted(blocks=width, refusal=TOO_WIDE["alchemy"]))
    assert await granted(first, last)
    assert not await granted(first, hex(int(last, 16) + 1))
    proxy.end(by_blocks)
    by_results = proxy.when("eth_getLogs", Granted(results=3, refusal=TOO_WIDE["infura"]))
    assert await granted(first, last)
    proxy.end(by_results)
    proxy.when("eth_getLogs", Granted(results=2, refusal=TOO_WIDE["infura"]))
    assert not await granted(first, last)
    assert not await granted(last, first)  # reversed
    assert "result" in await chain.ask(proxy, "eth_getLogs", {"blockHash": receipts[0]["blockHash"]})


async def test_a_waiting_transaction_is_replaced_for_ten_percent_more(proxy: FaultProxy, chain: Chain) -> None:
    proxy.when("eth_sendRawTransaction", StrictPool())
    await chain.anvil.set_automine(on=False)
    try:
        signer = dev_signer(7, [ChainId(31337)])
        nonce = int(await chain.anvil.rpc("eth_getTransactionCount", SENDER, "latest"), 16)

        async def offered(cap: int, tip: int) -> str | None:
            tx = UnsignedTx(
                chain_id=ChainId(31337),
                nonce=Nonce(nonce),
                max_priority_fee_per_gas=Wei(tip),
                max_fee_per_gas=Wei(cap),
                gas=Gas(21_000),
                to=DEV_ADDRESSES[8],
                value=Wei(1),
                data=b"",
            )
            raw = (await sign_tx(signer, tx)).raw
            reply = await chain.ask(proxy, "eth_sendRawTransaction", "0x" + raw.hex())
            return None if "result" in reply else str(reply["error"]["message"])

        base = 10**12
        assert await offered(base, base // 10) is None
        assert await offered(base * 11 // 10 - 1, base // 10 * 11 // 10) == "replacement transaction underpriced"
        assert await offered(base * 11 // 10, base // 10 * 11 // 10 - 1) == "replacement transaction underpriced"
        assert await offered(base * 11 // 10, base // 10 * 11 // 10) is None
    finally:
        await chain.anvil.set_automine(on=True)
        await chain.anvil.mine()
