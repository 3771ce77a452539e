"""One endpoint that misbehaves in every way we know: each is told apart, and none names its URL."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from tests.support.hand_clock import HandClock
from tests.support.scripted_node import NodeSays, ScriptedNode, open_scripted_node, wire_head

from bmn.core.errors import ChainError
from bmn.core.hashing import keccak
from bmn.core.units import Address, BlockHash, BlockNumber, ChainId, TxHash
from bmn.evm.budget import Budget
from bmn.evm.failures import RateLimited
from bmn.evm.node import RECHECK_CHAIN_AFTER, RpcNode
from bmn.evm.rpc import RpcEndpoint
from bmn.evm.types import BlockTag, SendStatus
from bmn.evm.vitals import Vitals

SOMEBODY = Address(b"\x01" * 20)
Ask = Callable[[RpcNode], Awaitable[object]]


@pytest.fixture
async def server() -> AsyncIterator[ScriptedNode]:
    async with open_scripted_node() as node:
        yield node


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def node(server: ScriptedNode, clock: HandClock) -> AsyncIterator[RpcNode]:
    async with aiohttp.ClientSession() as session:
        rpc = RpcEndpoint(session, clock, chain="base", name="alpha", url=server.url, answer_within=0.5)
        yield RpcNode(rpc, clock, chain_id=ChainId(31337))


async def failure(question: Awaitable[object]) -> ChainError:
    with pytest.raises(ChainError) as caught:
        await question
    error = caught.value
    shown = f"{error!s} {error!r} {error.__cause__!r}"
    assert "0123456789abcdef" not in shown
    assert "127.0.0.1" not in shown
    assert "base/alpha" in error.detail
    return error


def page(text: str | bytes, status: int = 200, **headers: str) -> Callable[[], Awaitable[web.Response]]:
    async def answer() -> web.Response:
        body = text.encode() if isinstance(text, str) else text
        return web.Response(body=body, status=status, headers={k.replace("_", "-"): v for k, v in headers.items()})

    return answer


@pytest.mark.parametrize(
    ("text", "status", "code"),
    [
        ("<html>busy</html>", 502, "RPC_UNREACHABLE"),
        ("<html>busy</html>", 200, "RPC_BAD_ANSWER"),
        ('{"jsonrpc":"2.0","id":1,"resu', 200, "RPC_BAD_ANSWER"),
        (b"\xff\xfe\x00", 200, "RPC_BAD_ANSWER"),
        ("", 200, "RPC_BAD_ANSWER"),
        ('{"jsonrpc":"2.0","id":999,"result":"0x1"}', 200, "RPC_BAD_ANSWER"),
        ('{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"no"}}', 400, "RPC_ERROR"),
        ('{"jsonrpc":"2.0","error":{"code":-32000,"message":"key disabled"}}', 403, "RPC_ERROR"),
        ("", 301, "RPC_UNREACHABLE"),
        ("", 401, "RPC_UNREACHABLE"),
    ],
)
async def test_bad_bodies_and_statuses_are_told_apart(
    server: ScriptedNode, node: RpcNode, text: str | bytes, status: int, code: str
) -> None:
    server.http = page(text, status)
    assert (await failure(node.balance(SOMEBODY, BlockTag.HEAD))).code == code


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("0.5", 0.5), ("99999", 3600.0), ("soon", 1.0)])
async def test_http_429_says_when_to_return(server: ScriptedNode, node: RpcNode, header: str, seconds: float) -> None:
    server.http = page("slow down", 429, Retry_After=header)
    error = await failure(node.balance(SOMEBODY, BlockTag.HEAD))
    assert isinstance(error, RateLimited)
    assert error.retry_after == seconds


async def test_an_endpoint_that_never_answers_times_out(server: ScriptedNode, node: RpcNode) -> None:
    never = asyncio.Event()

    async def hang() -> web.Response:
        await never.wait()
        return web.Response()

    server.http = hang
    assert (await failure(node.balance(SOMEBODY, BlockTag.HEAD))).code == "RPC_UNREACHABLE"
    never.set()


async def test_a_request_does_not_wait_for_ever_for_its_turn(server: ScriptedNode, clock: HandClock) -> None:
    async with aiohttp.ClientSession() as session:
        vitals = Vitals(clock, Budget(per_second=0.01))
        rpc = RpcEndpoint(session, clock, chain="base", name="alpha", url=server.url, answer_within=0.2, vitals=vitals)
        node = RpcNode(rpc, clock, chain_id=ChainId(31337))
        server.answers["eth_sendRawTransaction"] = "0x" + keccak(b"\x02raw").hex()
        assert await node.chain_id() == 31337
        error = await failure(node.chain_id())
        assert error.code == "RPC_OWN_QUEUE"
        assert vitals.failed(error, begun=0.0) is None
        report = vitals.report("base", "alpha")
        assert (report.state, report.in_flight) == ("closed", 0)
        assert (await node.send_raw(b"\x02raw")).status is SendStatus.ACCEPTED, "a send never waits"


async def test_a_closed_port_is_unreachable(clock: HandClock) -> None:
    async with aiohttp.ClientSession() as session:
        rpc = RpcEndpoint(session, clock, chain="base", name="alpha", url="http://127.0.0.1:9/x", answer_within=0.5)
        node = RpcNode(rpc, clock, chain_id=ChainId(31337))
        assert (await failure(node.balance(SOMEBODY, BlockTag.HEAD))).code == "RPC_UNREACHABLE"


@pytest.mark.parametrize(("drops", "works"), [(0, True), (1, True), (2, False)])
async def test_one_dropped_connection_is_repeated_a_second_is_a_failure(
    clock: HandClock, drops: int, works: bool
) -> None:
    left = drops

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal left
        await reader.readuntil(b"}")
        if left:
            left -= 1
        else:
            body = b'{"id":1,"result":"0x7a69"}'
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server, aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        rpc = RpcEndpoint(session, clock, chain="base", name="alpha", url=url, answer_within=5.0)
        node = RpcNode(rpc, clock, chain_id=ChainId(31337))
        if works:
            assert await node.chain_id() == 31337
        else:
            assert (await failure(node.chain_id())).code == "RPC_UNREACHABLE"


async def test_a_url_that_is_none_is_not_echoed(clock: HandClock) -> None:
    async with aiohttp.ClientSession() as session:
        url = "http://[0123456789abcdef"
        rpc = RpcEndpoint(session, clock, chain="base", name="alpha", url=url, answer_within=0.5)
        node = RpcNode(rpc, clock, chain_id=ChainId(31337))
        assert (await failure(node.balance(SOMEBODY, BlockTag.HEAD))).code == "RPC_UNREACHABLE"


LOG = {
    "address": str(SOMEBODY),
    "topics": [],
    "data": "0x",
    "blockNumber": "0x5",
    "blockHash": "0x" + "05" * 32,
    "transactionHash": "0x" + "01" * 32,
    "transactionIndex": "0x0",
    "logIndex": "0x0",
    "removed": False,
}
BLOCK = BlockHash(b"\x05" * 32)
TX = TxHash(b"\x01" * 32)


@pytest.mark.parametrize(
    ("method", "answer", "ask"),
    [
        ("eth_getBalance", "5", lambda node: node.balance(SOMEBODY, BlockTag.HEAD)),
        ("eth_getBalance", "0xzz", lambda node: node.balance(SOMEBODY, BlockTag.HEAD)),
        ("eth_getBalance", "0x", lambda node: node.balance(SOMEBODY, BlockTag.HEAD)),
        ("eth_getBalance", 5, lambda node: node.balance(SOMEBODY, BlockTag.HEAD)),
        ("eth_getBalance", None, lambda node: node.balance(SOMEBODY, BlockTag.HEAD)),
        ("eth_call", "0x123", lambda node: node.call(SOMEBODY, b"", BlockTag.HEAD)),
        ("eth_getBlockByNumber", wire_head(8), lambda node: node.block(BlockNumber(9))),
        ("eth_getBlockByHash", wire_head(8), lambda node: node.block(BLOCK)),
        ("eth_getBlockByNumber", wire_head(8) | {"hash": "0x12"}, lambda node: node.block(BlockTag.HEAD)),
        ("eth_getBlockByNumber", wire_head(8) | {"logsBloom": "0x00"}, lambda node: node.block(BlockTag.HEAD)),
        ("eth_getBlockByNumber", {"number": "0x8"}, lambda node: node.block(BlockTag.HEAD)),
        ("eth_getBlockByNumber", wire_head(8), lambda node: node.blocks([BlockNumber(8), BlockNumber(9)])),
        ("eth_getLogs", [LOG | {"removed": True}], lambda node: node.logs(block_hash=BLOCK)),
        ("eth_getLogs", [LOG], lambda node: node.logs(block_hash=BlockHash(bytes(32)))),
        ("eth_getLogs", [LOG], lambda node: node.logs(block_hash=BLOCK, addresses=[Address(bytes(20))])),
        ("eth_getLogs", [LOG, LOG], lambda node: node.logs(block_hash=BLOCK)),
        ("eth_getLogs", [LOG | {"logIndex": "0x1"}, LOG], lambda node: node.logs(block_hash=BLOCK)),
        ("eth_getLogs", [LOG], lambda node: node.logs_range(BlockNumber(6), BlockNumber(8))),
        ("eth_getTransactionReceipt", {"transactionHash": "0x" + "02" * 32}, lambda node: node.receipt(TX)),
        ("eth_sendRawTransaction", "0x" + "00" * 32, lambda node: node.send_raw(b"\x02raw")),
        ("eth_sendRawTransaction", None, lambda node: node.send_raw(b"\x02raw")),
    ],
)
async def test_an_answer_that_does_not_fit_the_question_is_refused(
    server: ScriptedNode, node: RpcNode, method: str, answer: Any, ask: Ask
) -> None:
    server.answers["eth_getBlockByNumber"] = wire_head(8)
    server.answers[method] = answer
    assert (await failure(ask(node))).code == "RPC_BAD_ANSWER"


@pytest.mark.parametrize("ids", [[2], [2, 2], [2, 9], [2, None], []])
async def test_a_batch_answered_in_part_or_twice_is_refused(
    server: ScriptedNode, node: RpcNode, ids: list[int | None]
) -> None:
    server.answers["eth_call"] = "0x"
    await node.chain_id()
    await node.call(SOMEBODY, b"", BlockTag.HEAD)  # requests 1 to 3; the batch has 4 and 5
    replies = [{"jsonrpc": "2.0", "id": one and one + 2, "result": "0x"} for one in ids]
    server.http = page(json.dumps(replies))
    error = await failure(node.call_many([(SOMEBODY, b""), (SOMEBODY, b"")], BlockTag.HEAD))
    assert error.code == "RPC_BAD_ANSWER"


async def test_a_batch_answered_in_another_order_is_put_right(server: ScriptedNode, node: RpcNode) -> None:
    await node.chain_id()
    server.answers["eth_call"] = "0x"
    await node.call(SOMEBODY, b"", BlockTag.HEAD)
    server.http = page(json.dumps([{"id": 5, "result": "0x05"}, {"id": 4, "result": "0x04"}]))
    assert await node.call_many([(SOMEBODY, b""), (SOMEBODY, b"")], BlockTag.HEAD) == (b"\x04", b"\x05")


async def test_one_error_for_a_whole_batch_is_that_error(server: ScriptedNode, node: RpcNode) -> None:
    server.answers["eth_call"] = "0x"
    await node.call_many([(SOMEBODY, b"")], BlockTag.HEAD)
    server.http = page('{"jsonrpc":"2.0","id":null,"error":{"code":-32005,"message":"rate limit"}}')
    error = await failure(node.call_many([(SOMEBODY, b""), (SOMEBODY, b"")], BlockTag.HEAD))
    assert error.code == "RPC_RATE_LIMITED"


async def test_one_failed_call_of_a_batch_fails_the_read_but_a_refusal_does_not(
    server: ScriptedNode, node: RpcNode
) -> None:
    def answer(call: dict[str, str], _block: str) -> str:
        if call["data"] == "0x02":
            raise NodeSays(3, "execution reverted", "0xdead")
        if call["data"] == "0x03":
            raise NodeSays(-32000, "header not found")
        return call["data"]

    server.answers["eth_call"] = answer
    first, second = await node.call_many([(SOMEBODY, b"\x01"), (SOMEBODY, b"\x02")], BlockTag.HEAD)
    assert first == b"\x01"
    assert not isinstance(second, bytes)
    assert second.data == b"\xde\xad"
    assert (
        await failure(node.call_many([(SOMEBODY, b"\x01"), (SOMEBODY, b"\x03")], BlockTag.HEAD))
    ).code == "RPC_ERROR"


async def test_a_node_of_another_chain_answers_nothing(server: ScriptedNode, node: RpcNode) -> None:
    server.answers |= {"eth_chainId": "0x1", "eth_getBalance": "0x5"}
    error = await failure(node.balance(SOMEBODY, BlockTag.HEAD))
    assert error.code == "WRONG_CHAIN"
    assert server.asked("eth_getBalance") == 0


async def test_the_chain_is_asked_for_again_only_after_a_while(
    server: ScriptedNode, node: RpcNode, clock: HandClock
) -> None:
    server.answers["eth_getBalance"] = "0x5"
    await node.balance(SOMEBODY, BlockTag.HEAD)
    server.answers["eth_chainId"] = "0x1"
    await clock.advance(RECHECK_CHAIN_AFTER - 1)
    assert await node.balance(SOMEBODY, BlockTag.HEAD) == 5
    await clock.advance(1)
    assert (await failure(node.balance(SOMEBODY, BlockTag.HEAD))).code == "WRONG_CHAIN"


async def test_a_send_asks_nothing_first_and_reads_the_nodes_refusal(server: ScriptedNode, node: RpcNode) -> None:
    def refuse(_raw: str) -> str:
        raise NodeSays(-32000, "nonce too low: next nonce 5, tx nonce 4")

    server.answers["eth_sendRawTransaction"] = refuse
    outcome = await node.send_raw(b"\x02raw")
    assert outcome.status is SendStatus.NONCE_TOO_LOW
    assert [method for method, _ in server.requests] == ["eth_sendRawTransaction"]


async def test_a_rate_limited_send_is_no_verdict_on_the_transaction(server: ScriptedNode, node: RpcNode) -> None:
    def refuse(_raw: str) -> str:
        raise NodeSays(-32005, "project rate limit reached")

    server.answers["eth_sendRawTransaction"] = refuse
    assert (await failure(node.send_raw(b"\x02raw"))).code == "RPC_RATE_LIMITED"


async def test_a_lagging_node_says_so_instead_of_answering_no_logs(server: ScriptedNode, node: RpcNode) -> None:
    server.answers |= {"eth_getBlockByNumber": None, "eth_getLogs": []}
    assert (await failure(node.logs_range(BlockNumber(1), BlockNumber(9)))).code == "NODE_BEHIND"


@pytest.mark.parametrize(
    ("refusal", "status"),
    [
        ('{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"batch limit exceeded"}}', 200),
        ('[{"jsonrpc":"2.0","id":4,"error":{"code":-32600,"message":"batch too large"}}]', 200),
        ("Payload too large", 413),
    ],
)
@pytest.mark.parametrize("most", [1, 2, 25])
async def test_how_many_calls_an_endpoint_takes_at_once_is_learnt_once(
    server: ScriptedNode, node: RpcNode, refusal: str, status: int, most: int
) -> None:
    server.answers["eth_call"] = lambda call, _block: call["data"]
    server.refuse_batch = lambda size: web.Response(body=refusal.encode(), status=status) if size > most else None
    calls = [(SOMEBODY, bytes((number,))) for number in range(60)]
    for _ in range(2):
        assert await node.call_many(calls, BlockTag.HEAD) == tuple(data for _, data in calls)
    assert server.batches_refused <= 6


async def test_a_node_without_finality_says_so_and_is_not_asked_at_each_block(
    server: ScriptedNode, node: RpcNode, clock: HandClock
) -> None:
    def block(tag: str, _full: bool) -> dict[str, Any]:
        if tag == "finalized":
            raise NodeSays(-32602, "unknown block tag")
        return wire_head(8)

    server.answers["eth_getBlockByNumber"] = block
    for _ in range(3):
        assert (await failure(node.block(BlockTag.FINALIZED))).code == "TAG_UNKNOWN"
    assert server.asked("eth_getBlockByNumber") == 1
    assert await node.block(BlockTag.SAFE) is not None
    await clock.advance(RECHECK_CHAIN_AFTER)
    server.answers["eth_getBlockByNumber"] = wire_head(8)
    assert await node.block(BlockTag.FINALIZED) is not None
