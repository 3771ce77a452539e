"""The operator's interface over a real database: nothing without the token, everything about dead messages with it."""

from collections.abc import AsyncIterator

import pytest
from httpx import ASGITransport, AsyncClient
from litestar import Litestar

from bmn.api.job_routes import build_job_routes
from bmn.api.operator import build_operator_app
from bmn.api.queue_routes import build_queue_routes
from bmn.pg.pool import Pool, open_pool, transaction
from bmn.pg.queue import NewMessage, bury, claim, enqueue
from bmn.pg.wake import Wake

TOKEN = "a-token-of-enough-length"
ROUTES = [
    ("GET", "/api/v1/admin/queues"),
    ("GET", "/api/v1/admin/dead"),
    ("GET", "/api/v1/admin/dead/1"),
    ("POST", "/api/v1/admin/dead/1/retry"),
    ("POST", "/api/v1/admin/dead/retry?all=true"),
    ("DELETE", "/api/v1/admin/dead/1"),
    ("DELETE", "/api/v1/admin/dead?all=true"),
    ("GET", "/api/v1/jobs"),
    ("GET", "/api/v1/jobs/{name}"),
]


@pytest.fixture
async def pool(engine_database: str) -> AsyncIterator[Pool]:
    async with open_pool(engine_database, size=4) as opened:
        yield opened


@pytest.fixture
def woken() -> Wake:
    return Wake()


@pytest.fixture
def operator(pool: Pool, woken: Wake) -> Litestar:
    return build_operator_app(TOKEN, [*build_queue_routes(pool, ["q", "p"], woken), *build_job_routes(pool)])


@pytest.fixture
async def client(operator: Litestar) -> AsyncIterator[AsyncClient]:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    transport = ASGITransport(operator)  # type: ignore[arg-type]  # Litestar has its own names for the same shapes
    async with AsyncClient(transport=transport, base_url="http://operator", headers=headers) as client:
        yield client


async def kill(pool: Pool, payload: str, *, queue: str = "q", kind: str = "k@1") -> int:
    key = b"\x01" if queue == "q" else b"\x02"
    message = NewMessage(queue=queue, kind=kind, payload=payload.encode(), key=key, trace="block 7")
    async with transaction(pool) as conn:
        await enqueue(conn, message)
    [one] = await claim(pool, [queue], 1, 60.0)
    await bury(pool, one, "BROKE: because", code="BROKE")
    return one.id


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/admin/dead?queue=%00"),
        ("POST", "/api/v1/admin/dead/retry?kind=k%00"),
        ("DELETE", "/api/v1/admin/dead?queue=q&kind=%00"),
        ("GET", "/api/v1/jobs/%00"),
    ],
)
async def test_text_that_no_database_holds_is_refused(client: AsyncClient, pool: Pool, method: str, path: str) -> None:
    await kill(pool, "x")
    answer = await client.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (400, "BAD_BODY")
    async with transaction(pool) as conn:
        assert await conn.fetchval("SELECT count(*) FROM dead_messages") == 1


async def waiting(pool: Pool) -> set[bytes]:
    return {one.payload for one in await claim(pool, ["q", "p"], 10, 60.0)}


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer ", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer \xe9"],
)
async def test_without_the_token_nothing_is_told_or_done(
    client: AsyncClient, pool: Pool, authorization: str | None
) -> None:
    await kill(pool, "x")
    del client.headers["Authorization"]
    headers = {} if authorization is None else {"Authorization": authorization.encode("latin-1")}
    for method, path in ROUTES:
        answer = await client.request(method, path, headers=headers)  # type: ignore[arg-type]  # odd characters are bytes
        assert (answer.status_code, answer.json()["code"]) == (401, "NO_TOKEN")
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.headers["content-type"] == "application/problem+json"
    async with transaction(pool) as conn:
        assert await conn.fetchval("SELECT count(*) FROM dead_messages") == 1


async def test_every_route_is_in_the_list_above(operator: Litestar) -> None:
    there = {
        (method, route.path_format)
        for route in operator.routes
        for method in getattr(route, "methods", ())
        if method != "OPTIONS"
    }
    named = {(method, path.partition("?")[0].replace("/1", "/{message_id}")) for method, path in ROUTES}
    assert there == named


async def test_depth_is_shown_for_every_queue(client: AsyncClient, pool: Pool) -> None:
    await kill(pool, "x")
    answer = await client.get("/api/v1/admin/queues")
    nothing = {"ready": 0, "delayed": 0, "leased": 0, "dead": 0, "oldest_seconds": 0.0}
    assert answer.json() == {"queues": [{"queue": "p", **nothing}, {"queue": "q", **nothing, "dead": 1}]}


async def test_the_dead_are_listed_by_queue_and_kind_and_shown_with_their_content(
    client: AsyncClient, pool: Pool
) -> None:
    first, second = await kill(pool, "one", kind="k@1"), await kill(pool, "two", queue="p", kind="l@1")
    listed = (await client.get("/api/v1/admin/dead")).json()["messages"]
    assert [one["id"] for one in listed] == [second, first]
    assert "payload" not in listed[0]
    for query in ("queue=q", "kind=k@1", "queue=q&kind=k@1"):
        found = (await client.get(f"/api/v1/admin/dead?{query}")).json()["messages"]
        assert [one["id"] for one in found] == [first]
    assert len((await client.get("/api/v1/admin/dead?limit=1")).json()["messages"]) == 1
    shown = (await client.get(f"/api/v1/admin/dead/{first}")).json()
    assert shown["payload"] == "one"
    assert (shown["code"], shown["error"], shown["trace"], shown["attempts"], shown["key"]) == (
        "BROKE",
        "BROKE: because",
        "block 7",
        1,
        "0x01",
    )
    assert shown["created_at"] <= shown["first_failed_at"] <= shown["died_at"]


async def test_one_is_retried_and_workers_are_woken(client: AsyncClient, pool: Pool, woken: Wake) -> None:
    dead, other, event = await kill(pool, "one"), await kill(pool, "two"), woken.subscribe()
    answer = await client.post(f"/api/v1/admin/dead/{dead}/retry")
    assert (answer.status_code, answer.json()) == (200, {"retried": 1})
    assert event.is_set()
    assert await waiting(pool) == {b"one"}
    assert (await client.get(f"/api/v1/admin/dead/{other}")).status_code == 200


async def test_one_is_dropped(client: AsyncClient, pool: Pool) -> None:
    dead = await kill(pool, "one")
    assert (await client.delete(f"/api/v1/admin/dead/{dead}")).json() == {"dropped": 1}
    assert (await client.get("/api/v1/admin/dead")).json() == {"messages": []}
    assert await waiting(pool) == set()


@pytest.mark.parametrize(("query", "left"), [("queue=q", {b"two"}), ("kind=l@1", {b"one"}), ("all=true", set())])
@pytest.mark.parametrize("how", ["retry", "drop"])
async def test_all_of_a_queue_or_kind(client: AsyncClient, pool: Pool, how: str, query: str, left: set[bytes]) -> None:
    await kill(pool, "one")
    await kill(pool, "two", queue="p", kind="l@1")
    if how == "retry":
        answer = await client.post(f"/api/v1/admin/dead/retry?{query}")
        assert answer.json() == {"retried": 2 - len(left)}
        assert await waiting(pool) == {b"one", b"two"} - left
    else:
        answer = await client.delete(f"/api/v1/admin/dead?{query}")
        assert answer.json() == {"dropped": 2 - len(left)}
        assert await waiting(pool) == set()
    async with transaction(pool) as conn:
        assert {row["payload"] for row in await conn.fetch("SELECT payload FROM dead_messages")} == left


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/api/v1/admin/dead/retry"), ("DELETE", "/api/v1/admin/dead?all=false")]
)
async def test_everything_must_be_said(client: AsyncClient, pool: Pool, method: str, path: str) -> None:
    await kill(pool, "one")
    answer = await client.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (400, "NOTHING_NAMED")
    assert len((await client.get("/api/v1/admin/dead")).json()["messages"]) == 1


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/{}"), ("POST", "/{}/retry"), ("DELETE", "/{}")], ids=["show", "retry", "drop"]
)
@pytest.mark.parametrize(
    ("number", "status", "code"), [("7", 404, "NO_SUCH_MESSAGE"), ("0", 400, "BAD_BODY"), (str(2**63), 400, "BAD_BODY")]
)
async def test_a_message_that_is_not_there_is_a_problem(
    client: AsyncClient, method: str, path: str, number: str, status: int, code: str
) -> None:
    answer = await client.request(method, "/api/v1/admin/dead" + path.format(number))
    assert (answer.status_code, answer.json()["code"]) == (status, code)
