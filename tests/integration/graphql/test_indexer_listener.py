"""What the indexer's listener says of itself: alive, at the heads, where each chain is."""

from collections.abc import AsyncIterator

import httpx
import pytest
from tests.support.graphql_rig import FINAL_NUMBER, HEAD_NUMBER, SPECS, graphql_app, save_heads, save_src_escrows
from tests.support.hand_clock import HandClock

from bmn.api.at_head import AtHead, open_at_head
from bmn.api.graphql.standing import Standings
from bmn.api.indexer_server import build_indexer_app
from bmn.pg.pool import Pool, open_pool
from bmn.seams import SystemClock

START = 1_700_000_000.0
SEEN = "UPDATE chain_heads SET seen_at = to_timestamp($1)"


@pytest.fixture
async def client(store: Pool) -> AsyncIterator[httpx.AsyncClient]:
    clock = SystemClock()
    at_head = await open_at_head(store, SPECS, clock)
    app = build_indexer_app(graphql_app(store), Standings(store, SPECS, clock), at_head.find_missing)
    transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]  # the library's type is narrower
    async with httpx.AsyncClient(transport=transport, base_url="http://indexer") as client:
        yield client


async def test_ready_is_who_has_read_every_chain_to_its_head_since_it_began(
    store: Pool, client: httpx.AsyncClient
) -> None:
    await save_heads(store)
    await store.execute(SEEN, START)
    assert (await client.get("/health")).status_code == 200
    answer = await client.get("/ready")
    assert answer.status_code == 503
    assert answer.json()["missing"] == [
        f"{spec.name}: at block {HEAD_NUMBER}, not at the head since the start" for spec in SPECS
    ]
    await store.execute("UPDATE chain_heads SET seen_at = clock_timestamp()")
    answer = await client.get("/ready")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})


async def test_a_chain_is_behind_three_blocks_after_its_last_head(store: Pool) -> None:
    clock = HandClock(START)
    at_head = AtHead(store, SPECS[:1], clock, since=START)
    assert await at_head.find_missing() == ["alpha: no block was read yet"]
    await save_heads(store)
    for seen, age, missing in (
        (START, 3.0, []),
        (START, 3.5, [f"alpha: no head for 3.5 s after block {HEAD_NUMBER}"]),
        (START - 0.5, 0.0, [f"alpha: at block {HEAD_NUMBER}, not at the head since the start"]),
    ):
        clock = HandClock(START + age)
        await store.execute(SEEN, seen)
        assert await AtHead(store, SPECS[:1], clock, since=START).find_missing() == missing
    await store.execute("UPDATE chain_heads SET halted = 'REORG_TOO_DEEP: read the hint'")
    assert await at_head.find_missing() == ["alpha: REORG_TOO_DEEP: read the hint"]


async def test_without_a_database_it_is_alive_and_not_ready(database: str) -> None:
    async with open_pool(database, size=1) as pool:
        at_head = AtHead(pool, SPECS, SystemClock(), since=0)
    [missing] = await at_head.find_missing()
    assert missing.startswith("database: ")


async def test_status_has_the_shape_that_clients_of_ponder_know(store: Pool, client: httpx.AsyncClient) -> None:
    await save_heads(store)
    status = (await client.get("/status")).json()
    assert list(status) == ["alpha", "beta"]
    assert status["alpha"]["id"] == 31337
    assert status["alpha"]["block"] == {"number": HEAD_NUMBER, "timestamp": 1_700_000_100}
    assert status["alpha"]["finalized"]["number"] == FINAL_NUMBER


@pytest.mark.parametrize("path", ["/", "/graphql"])
async def test_queries_are_answered_on_the_paths_of_ponder(store: Pool, client: httpx.AsyncClient, path: str) -> None:
    await save_src_escrows(store, 3)
    answer = await client.post(path, json={"query": "{ srcEscrows(limit: 2) { items { id } totalCount } }"})
    assert answer.json()["data"]["srcEscrows"]["totalCount"] == 3
    assert (await client.get(path)).headers["content-type"].startswith("text/html")


async def test_metrics_are_told_and_nothing_else_is_there(client: httpx.AsyncClient) -> None:
    assert "bmn_graphql_answers_total" in (await client.get("/metrics")).text
    lost = await client.get("/nothing")
    assert (lost.status_code, lost.json()["code"]) == (404, "NO_SUCH_PATH")
