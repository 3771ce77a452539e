"""The HTTP side of a faulty endpoint: the same bytes without rules, and each fault exactly where a rule says."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from tests.support.fault_dialects import TOO_OFTEN, TOO_WIDE
from tests.support.fault_proxy import FaultProxy, open_fault_proxy
from tests.support.fault_rules import (
    GATEWAY_PAGE,
    CutOff,
    Edits,
    Fault,
    Held,
    LeftOut,
    LostReply,
    Refuses,
    Reset,
    Reversed,
    Says,
    Status,
    Truncated,
    WrongId,
)

from bmn.devnet.anvil import Anvil

BLOCK_NUMBER = b'{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber","params":[]}'
BATCH = [
    {"jsonrpc": "2.0", "id": 7, "method": "eth_chainId", "params": []},
    {"jsonrpc": "2.0", "id": 8, "method": "eth_blockNumber", "params": []},
    {"jsonrpc": "2.0", "id": 9, "method": "eth_getBlockByNumber", "params": ["0x0", False]},
]
BODIES = [
    BLOCK_NUMBER,
    b' {"method":"eth_getBlockByNumber","params":["latest",true],"id":"text","jsonrpc":"2.0"}',
    b'{"jsonrpc":"2.0","id":1,"method":"eth_noSuchThing","params":[]}',
    b'{"jsonrpc":"2.0","id":1,"method":"eth_getBlockByNumber","params":["0xffffff",false]}',
    json.dumps(BATCH).encode(),
    b"[]",
    b"not JSON",
    b'"text"',
]


class Client:
    """Speaks HTTP to any URL."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def post(self, url: str, body: bytes) -> tuple[int, str, bytes]:
        async with self._session.post(url, data=body, headers={"content-type": "application/json"}) as response:
            return response.status, response.content_type, await response.read()

    async def ask(self, proxy: FaultProxy, method: str, *params: object) -> Any:
        """Return the reply to one call."""
        asked = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        return json.loads((await self.post(proxy.url, json.dumps(asked).encode()))[2])


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with aiohttp.ClientSession() as session:
        yield Client(session)


async def height(client: Client, proxy: FaultProxy) -> int:
    return int((await client.ask(proxy, "eth_blockNumber"))["result"], 16)


@pytest.mark.parametrize("body", BODIES)
async def test_without_rules_the_bytes_are_the_nodes(
    anvil: Anvil, proxy: FaultProxy, client: Client, body: bytes
) -> None:
    proxy.when("eth_call", Reset())  # a rule about something else changes nothing
    assert await client.post(proxy.url, body) == await client.post(anvil.url, body)
    assert proxy.injected == []


async def test_calls_and_bytes_are_counted_by_method(proxy: FaultProxy, client: Client) -> None:
    _, _, answer = await client.post(proxy.url, BLOCK_NUMBER)
    _, _, answers = await client.post(proxy.url, json.dumps(BATCH).encode())
    assert proxy.calls == {"eth_blockNumber": 2, "eth_chainId": 1, "eth_getBlockByNumber": 1}
    assert proxy.sent == {"eth_blockNumber": len(BLOCK_NUMBER), "batch": len(json.dumps(BATCH))}
    assert proxy.answered == {"eth_blockNumber": len(answer), "batch": len(answers)}


async def test_a_held_request_waits_until_it_is_released(anvil: Anvil, proxy: FaultProxy, client: Client) -> None:
    before = await height(client, proxy)
    held = Held()
    proxy.when("eth_blockNumber", held)
    waiting = asyncio.create_task(client.ask(proxy, "eth_blockNumber"))
    await asyncio.wait_for(held.reached.wait(), 10)
    await anvil.mine()
    assert not waiting.done()
    held.release()
    assert int((await waiting)["result"], 16) == before + 1


async def test_whoever_hangs_is_let_go_when_the_endpoint_heals(proxy: FaultProxy, client: Client) -> None:
    held = Held()
    proxy.when("*", held)
    waiting = asyncio.create_task(client.ask(proxy, "eth_chainId"))
    await asyncio.wait_for(held.reached.wait(), 10)
    proxy.heal()
    assert (await waiting)["result"] == "0x7a69"


async def test_a_reset_never_reaches_the_node_and_a_lost_reply_does(
    anvil: Anvil, proxy: FaultProxy, client: Client
) -> None:
    before = int(await anvil.rpc("eth_blockNumber"), 16)
    proxy.when("anvil_mine", Reset(), nth=1)
    with pytest.raises(aiohttp.ClientError):
        await client.ask(proxy, "anvil_mine", "0x1")
    assert int(await anvil.rpc("eth_blockNumber"), 16) == before
    proxy.when("anvil_mine", LostReply(), nth=1)
    with pytest.raises(aiohttp.ClientError):
        await client.ask(proxy, "anvil_mine", "0x1")
    assert int(await anvil.rpc("eth_blockNumber"), 16) == before + 1


async def test_an_http_answer_stands_before_the_node(proxy: FaultProxy, client: Client) -> None:
    proxy.when("*", Status(502, GATEWAY_PAGE, {"Retry-After": "7"}), times=1)
    status, _, body = await client.post(proxy.url, BLOCK_NUMBER)
    assert (status, body) == (502, GATEWAY_PAGE.encode())
    assert (await client.post(proxy.url, BLOCK_NUMBER))[0] == 200


async def test_truncated_json_is_a_whole_answer_and_a_cut_off_one_is_not(proxy: FaultProxy, client: Client) -> None:
    rule = proxy.when("eth_blockNumber", Truncated())
    status, _, body = await client.post(proxy.url, BLOCK_NUMBER)
    assert status == 200
    with pytest.raises(json.JSONDecodeError):
        json.loads(body)
    proxy.end(rule)
    proxy.when("eth_blockNumber", CutOff())
    with pytest.raises(aiohttp.ClientError):
        await client.post(proxy.url, BLOCK_NUMBER)


async def test_a_call_is_answered_in_the_place_of_the_node(proxy: FaultProxy, client: Client) -> None:
    proxy.when("eth_blockNumber", Says("0x5"), times=1)
    assert (await client.ask(proxy, "eth_blockNumber"))["result"] == "0x5"
    proxy.when("eth_blockNumber", Refuses(-32000, "no", "0x"), times=1)
    assert (await client.ask(proxy, "eth_blockNumber"))["error"] == {"code": -32000, "message": "no", "data": "0x"}
    proxy.when("eth_blockNumber", WrongId(), times=1)
    assert (await client.ask(proxy, "eth_blockNumber"))["id"] != 1
    assert (await client.ask(proxy, "eth_blockNumber"))["id"] == 1


async def test_a_field_is_tampered_with_and_null_stays_null(proxy: FaultProxy, client: Client) -> None:
    proxy.when("eth_getBlockByNumber", Edits(lambda block: block | {"timestamp": "0x0"}))
    assert (await client.ask(proxy, "eth_getBlockByNumber", "0x0", False))["result"]["timestamp"] == "0x0"
    assert (await client.ask(proxy, "eth_getBlockByNumber", "0xffffff", False))["result"] is None


async def test_one_item_of_a_batch_fails_is_missing_or_the_order_turns(proxy: FaultProxy, client: Client) -> None:
    async def batch() -> list[dict[str, Any]]:
        answers: list[dict[str, Any]] = json.loads((await client.post(proxy.url, json.dumps(BATCH).encode()))[2])
        return answers

    fails = proxy.when("eth_blockNumber", Refuses(-32000, "busy"))
    assert ["error" in item for item in await batch()] == [False, True, False]
    proxy.end(fails)
    missing = proxy.when("eth_chainId", LeftOut())
    assert [item["id"] for item in await batch()] == [8, 9]
    proxy.end(missing)
    proxy.when("eth_chainId", Reversed())
    assert [item["id"] for item in await batch()] == [9, 8, 7]


async def test_a_rule_picks_by_parameters_number_and_count(proxy: FaultProxy, client: Client) -> None:
    rule = proxy.when("eth_getBlockByNumber", Says("hit"), where=lambda params: params[0] == "0x0", nth=2)
    got = [(await client.ask(proxy, "eth_getBlockByNumber", at, False))["result"] for at in ("0x0", "latest", "0x0")]
    assert [one == "hit" for one in got] == [False, False, True]
    assert (rule.seen, rule.hits) == (2, 1)
    assert proxy.injected == [("eth_getBlockByNumber", "Says")]
    times = proxy.when("eth_chainId", Says("hit"), times=2)
    assert [(await client.ask(proxy, "eth_chainId"))["result"] for _ in range(3)] == ["hit", "hit", "0x7a69"]
    assert times.hits == 2


async def test_chance_is_drawn_from_the_seed_alone(anvil: Anvil, client: Client) -> None:
    async def struck(seed: int) -> list[bool]:
        async with open_fault_proxy(anvil, seed=seed) as proxy:
            proxy.when("eth_chainId", Says("hit"), chance=0.5)
            return [(await client.ask(proxy, "eth_chainId"))["result"] == "hit" for _ in range(30)]

    first = await struck(5)
    assert first == await struck(5)
    assert first != await struck(6)
    assert {True, False} <= set(first)


async def test_a_request_may_be_too_large_by_bytes_or_by_calls(proxy: FaultProxy, client: Client) -> None:
    body = json.dumps(BATCH).encode()
    proxy.body_most, proxy.batch_most = len(body), len(BATCH)
    assert (await client.post(proxy.url, body))[0] == 200
    proxy.body_most = len(body) - 1
    assert (await client.post(proxy.url, body))[0] == 413
    proxy.body_most, proxy.batch_most = len(body), len(BATCH) - 1
    assert json.loads((await client.post(proxy.url, body))[2])["error"]["message"] == "batch too large"


@pytest.mark.parametrize("name", TOO_OFTEN)
async def test_a_rate_limit_is_worded_as_its_provider_words_it(proxy: FaultProxy, client: Client, name: str) -> None:
    fault: Fault = TOO_OFTEN[name]
    proxy.when("*", fault, times=1)
    status, _, body = await client.post(proxy.url, BLOCK_NUMBER)
    assert status == 429 or json.loads(body)["error"]["code"]
    assert "result" in await client.ask(proxy, "eth_blockNumber")


@pytest.mark.parametrize("name", TOO_WIDE)
async def test_a_refused_range_is_an_error_in_every_dialect(proxy: FaultProxy, client: Client, name: str) -> None:
    refusal = TOO_WIDE[name](16, 31)
    proxy.when("eth_getLogs", refusal)
    error = (await client.ask(proxy, "eth_getLogs", {"fromBlock": "0x10", "toBlock": "0xff"}))["error"]
    assert (error["code"], error["message"]) == (refusal.code, refusal.message)
