"""The HTTP contract: shapes in, shapes out, problems, and nothing secret anywhere."""

import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
import structlog
from litestar import Litestar
from litestar.testing import AsyncTestClient
from tests.support.api_values import ORDER_HASH, SIGNED, SmallResolver
from tests.support.swap_values import A_SECRET

from bmn.api.ports import Component
from bmn.api.server import MAX_BODY, build_app
from bmn.core.compact_signature import encode_signature
from bmn.core.errors import ChainError
from bmn.resolver.intake import Rejected
from bmn.resolver.secret_intake import NotTaken

Client = AsyncTestClient[Litestar]


@pytest.fixture
def resolver() -> SmallResolver:
    return SmallResolver()


@pytest.fixture
async def client(resolver: SmallResolver) -> AsyncIterator[Client]:
    async with AsyncTestClient(build_app(resolver.deps)) as client:
        yield client


def a_body() -> dict[str, Any]:
    order = SIGNED.order
    return {
        "src_chain": SIGNED.src_chain,
        "order": {
            "salt": str(order.salt),
            "maker": str(order.maker),
            "receiver": str(order.receiver),
            "makerAsset": str(order.maker_asset),
            "takerAsset": str(order.taker_asset),
            "makingAmount": str(order.making_amount),
            "takingAmount": str(order.taking_amount),
            "makerTraits": str(order.maker_traits),
        },
        "extension": "0x" + SIGNED.extension.hex(),
        "signature": "0x" + encode_signature(SIGNED.signature).hex(),
    }


SECRET_TEXT = "0x" + A_SECRET.reveal().hex()


async def test_a_new_order_is_201_and_the_same_again_200(client: Client) -> None:
    first = await client.post("/api/v1/orders", json=a_body())
    again = await client.post("/api/v1/orders", json=a_body())
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == {
        "order_hash": str(ORDER_HASH),
        "hashlock": str(A_SECRET.hashlock),
        "state": "ACCEPTED",
    }


async def test_a_compact_signature_is_the_same_order(client: Client) -> None:
    compact = "0x" + (SIGNED.signature.r + SIGNED.signature.vs).hex()
    answer = await client.post("/api/v1/orders", json=a_body() | {"signature": compact})
    assert answer.status_code == 201


async def test_a_refusal_is_a_problem_document_of_status_422(client: Client, resolver: SmallResolver) -> None:
    resolver.refusal = Rejected(code="OVER_LIMIT", detail="at most 5", hint="ask for less")
    answer = await client.post("/api/v1/orders", json=a_body())
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "urn:bmn:error:OVER_LIMIT",
        "title": "Unprocessable Entity",
        "status": 422,
        "code": "OVER_LIMIT",
        "detail": "at most 5",
        "hint": "ask for less",
        "docs": "/docs/errors#over_limit",
    }


@pytest.mark.parametrize(
    ("place", "value", "code"),
    [
        ("makingAmount", "-1", "BAD_NUMBER"),
        ("makingAmount", "1.0", "BAD_NUMBER"),
        ("makingAmount", "01", "BAD_NUMBER"),
        ("makingAmount", "١", "BAD_NUMBER"),
        ("salt", str(2**256), "BAD_NUMBER"),
        ("maker", "0x5aaeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "BAD_CHECKSUM"),
        ("maker", "0x12", "BAD_LENGTH"),
    ],
)
async def test_a_field_that_does_not_parse_is_400(client: Client, place: str, value: str, code: str) -> None:
    body = a_body()
    body["order"][place] = value
    answer = await client.post("/api/v1/orders", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


@pytest.mark.parametrize(
    "content",
    [b"{", b"[]", b"", b"null", b"\xff", b'{"src_chain": 1}', b'{"src_chain": "1"}'],
)
async def test_bad_json_is_a_400_problem(client: Client, content: bytes) -> None:
    answer = await client.post("/api/v1/orders", content=content, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (400, "BAD_BODY")
    assert "Traceback" not in answer.text


async def test_unknown_fields_are_refused_at_every_depth(client: Client) -> None:
    outer, inner = a_body() | {"extra": 1}, a_body()
    inner["order"]["extra"] = "1"
    for body in (outer, inner):
        answer = await client.post("/api/v1/orders", json=body)
        assert (answer.status_code, answer.json()["code"]) == (400, "BAD_BODY")


async def test_a_body_above_the_limit_is_413(client: Client) -> None:
    answer = await client.post(
        "/api/v1/orders", content=b" " * (MAX_BODY + 1), headers={"content-type": "application/json"}
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "BODY_TOO_LARGE")


async def test_a_swap_is_shown_with_big_numbers_as_text(client: Client) -> None:
    await client.post("/api/v1/orders", json=a_body())
    shown = (await client.get(f"/api/v1/orders/{ORDER_HASH}")).json()
    assert shown["state"] == "AWAIT_SECRET"
    assert shown["dst_escrow"] is None
    assert shown["src_escrow"]["immutables"] == "0x" + "00" * 256
    assert shown["transactions"][0]["gas_price"] == str(10**30)


async def test_an_unknown_order_is_404_and_a_bad_hash_400(client: Client) -> None:
    unknown = await client.get("/api/v1/orders/0x" + "11" * 32)
    bad = await client.get("/api/v1/orders/0x11")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "ORDER_UNKNOWN")
    assert (bad.status_code, bad.json()["code"]) == (400, "BAD_LENGTH")


async def test_an_unknown_path_is_a_problem_too(client: Client) -> None:
    answer = await client.get("/nothing")
    assert (answer.status_code, answer.json()["code"]) == (404, "NO_SUCH_PATH")


async def test_the_list_filters_by_state_and_bounds_its_limit(client: Client) -> None:
    await client.post("/api/v1/orders", json=a_body())
    for query, count in (("", 1), ("?state=AWAIT_SECRET", 1), ("?state=SETTLED", 0), ("?limit=1", 1)):
        answer = await client.get("/api/v1/orders" + query)
        assert (answer.status_code, len(answer.json()["orders"])) == (200, count)
    for query in ("?state=NOPE", "?limit=0", "?limit=501"):
        answer = await client.get("/api/v1/orders" + query)
        assert answer.status_code == 400


async def test_a_secret_is_taken_twice_with_the_same_answer(client: Client, resolver: SmallResolver) -> None:
    await client.post("/api/v1/orders", json=a_body())
    for _ in range(2):
        answer = await client.post(f"/api/v1/orders/{ORDER_HASH}/secret", json={"secret": SECRET_TEXT})
        assert (answer.status_code, answer.json()) == (202, {"state": "AWAIT_SECRET"})
    assert resolver.secrets == {ORDER_HASH: A_SECRET}


@pytest.mark.parametrize("code", ["TOO_LATE", "NOT_READY", "SWAP_OVER", "CHAIN_STALE"])
async def test_a_secret_at_the_wrong_time_is_409(client: Client, resolver: SmallResolver, code: str) -> None:
    resolver.not_taken = NotTaken(code=code, detail="no", hint="keep it")
    answer = await client.post(f"/api/v1/orders/{ORDER_HASH}/secret", json={"secret": SECRET_TEXT})
    assert (answer.status_code, answer.json()["code"]) == (409, code)


def planted_bodies() -> list[dict[str, Any]]:
    planted = SECRET_TEXT[2:]
    return [
        {"secret": SECRET_TEXT},
        {"secret": planted},
        {"secret": SECRET_TEXT + "00"},
        {"secret": "0x" + "zz" + planted[2:]},
        {"secret": [SECRET_TEXT]},
        {"secret": SECRET_TEXT, "more": SECRET_TEXT},
        {SECRET_TEXT: 1},
    ]


@pytest.mark.parametrize("body", planted_bodies())
async def test_a_secret_appears_in_no_answer_and_no_log(
    client: Client, body: dict[str, Any], caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with structlog.testing.capture_logs() as logs:
        answer = await client.post(f"/api/v1/orders/{ORDER_HASH}/secret", json=body)
    printed = "".join(capfd.readouterr())
    tail = A_SECRET.reveal().hex()[8:40]
    for text in (answer.text, json.dumps(logs, default=repr), caplog.text, printed):
        assert tail not in text
    assert answer.status_code == 400


async def test_a_defect_shows_no_traceback_and_logs_no_text(
    client: Client, resolver: SmallResolver, capfd: pytest.CaptureFixture[str]
) -> None:
    resolver.defect = RuntimeError(SECRET_TEXT)
    with structlog.testing.capture_logs() as logs:
        answer = await client.post(f"/api/v1/orders/{ORDER_HASH}/secret", json={"secret": SECRET_TEXT})
    assert (answer.status_code, answer.json()["code"]) == (500, "INTERNAL")
    assert [entry["kind"] for entry in logs] == ["RuntimeError"]
    assert SECRET_TEXT not in answer.text + json.dumps(logs) + "".join(capfd.readouterr())


async def test_a_chain_that_is_away_is_503(client: Client, resolver: SmallResolver) -> None:
    resolver.defect = ChainError("RPC_UNREACHABLE", "alpha: nobody answers")
    answer = await client.post("/api/v1/orders", json=a_body())
    assert (answer.status_code, answer.json()["code"]) == (503, "RPC_UNREACHABLE")


async def test_health_is_503_when_one_component_is_down_but_ready_needs_the_database_only(
    client: Client, resolver: SmallResolver
) -> None:
    assert (await client.get("/health")).status_code == 200
    resolver.components["alpha"] = Component(healthy=False, detail="no block", head_age=99.0)
    health = await client.get("/health")
    assert (health.status_code, health.json()["status"]) == (503, "degraded")
    assert health.json()["components"]["alpha"] == {"status": "down", "detail": "no block", "head_age": 99.0}
    assert (await client.get("/ready")).status_code == 200
    resolver.components["database"] = Component(healthy=False, detail="away")
    assert (await client.get("/ready")).status_code == 503


async def test_metrics_are_by_route_and_carry_no_hash(client: Client) -> None:
    await client.get(f"/api/v1/orders/{ORDER_HASH}")
    text = (await client.get("/metrics")).text
    assert "bmn_api_seconds_bucket" in text
    assert 'route="/api/v1/orders/{order' in text
    assert ORDER_HASH.hex() not in text


async def test_public_facts_name_chains_contracts_and_pairs(client: Client) -> None:
    facts = (await client.get("/api/v1/resolver")).json()
    assert [chain["name"] for chain in facts["chains"]] == ["alpha", "beta"]
    assert facts["pairs"] == [{"src": 31337, "dst": 31338}]
