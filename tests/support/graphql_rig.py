"""Rows of the projections, and questions to the GraphQL application without a socket."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec
from litestar.types import ASGIApp

from bmn.api.graphql.app import GraphqlDeps, build_graphql_app
from bmn.api.graphql.standing import Standings
from bmn.core.chain import ChainSpec, Contracts
from bmn.core.units import Address, BlockNumber, ChainId, Seconds
from bmn.pg.pool import Pool
from bmn.seams import SystemClock

HEAD_NUMBER, FINAL_NUMBER = 100, 90


def chain_spec(name: str, chain_id: int) -> ChainSpec:
    nobody = Address(bytes(20))
    return ChainSpec(
        name=name,
        id=ChainId(chain_id),
        block_time=1.0,
        depth=HEAD_NUMBER - FINAL_NUMBER,
        start_block=BlockNumber(0),
        contracts=Contracts(
            factory=nobody,
            src_implementation=nobody,
            dst_implementation=nobody,
            limit_order_protocol=nobody,
            resolver=nobody,
            access_token=nobody,
            noop_token=nobody,
            rescue_delay_src=Seconds(1),
            rescue_delay_dst=Seconds(1),
        ),
        domain_name="1inch Aggregation Router",
        domain_version="6",
    )


SPECS = (chain_spec("alpha", 31337), chain_spec("beta", 31338))


def graphql_app(pool: Pool, *, seconds: float = 2.0) -> ASGIApp:
    clock = SystemClock()
    standings = Standings(pool, SPECS, clock)
    return build_graphql_app(GraphqlDeps(pool=pool, standings=standings, clock=clock, seconds=seconds))


async def request(
    app: ASGIApp,
    method: str,
    *,
    body: bytes = b"",
    query_string: bytes = b"",
    content_type: bytes = b"application/json",
) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope: Any = {
        "type": "http",
        "method": method,
        "path": "/graphql",
        "query_string": query_string,
        "headers": [(b"content-type", content_type)],
    }
    await app(scope, receive, send)
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, sent[1]["body"]


async def ask(app: ASGIApp, query: str, **variables: Any) -> dict[str, Any]:
    """Return the whole answer to a POST; its status is 200."""
    status, _, body = await request(app, "POST", body=msgspec.json.encode({"query": query, "variables": variables}))
    assert status == 200, body
    answer: dict[str, Any] = msgspec.json.decode(body)
    return answer


async def data(app: ASGIApp, query: str, **variables: Any) -> dict[str, Any]:
    """Return the data of an answer without errors."""
    answer = await ask(app, query, **variables)
    assert "errors" not in answer, answer
    found: dict[str, Any] = answer["data"]
    return found


async def code(app: ASGIApp, query: str, **variables: Any) -> str:
    """Return the code of an answer without data."""
    answer = await ask(app, query, **variables)
    assert answer.get("data") is None
    found: str = answer["errors"][0]["extensions"]["code"]
    return found


def address(**parts: str) -> bytes:
    """Return the part of an address behind `?`."""
    return urlencode(parts).encode()


def word(number: int) -> str:
    return f"0x{number:064x}"


def account(number: int) -> str:
    return f"0x{number:040x}"


async def save_heads(pool: Pool) -> None:
    await pool.executemany(
        "INSERT INTO chain_heads (chain_id, number, hash, time, final_number, final_time) "
        "VALUES ($1, $2, $3, $4, $5, $6)",
        [(spec.id, HEAD_NUMBER, bytes(32), 1_700_000_100, FINAL_NUMBER, 1_700_000_090) for spec in SPECS],
    )


async def new_block(pool: Pool) -> None:
    """Say that rows have changed, as everybody does who writes them."""
    await pool.execute("UPDATE chain_heads SET seen_at = clock_timestamp()")


async def save_src_escrows(pool: Pool, count: int, *, blocks: Sequence[int] = (1,)) -> None:
    """Store escrows 0 to `count`: on the two chains in turn, in these blocks in turn, created in pairs of a second."""
    rows = [
        (
            f"{31337 + n % 2}-{account(n)}",
            31337 + n % 2,
            account(n),
            word(n),
            word(10_000 + n),
            account(1),
            account(2),
            account(3),
            10**21 + n,
            10**16,
            account(1),
            account(4),
            2 * 10**21 + n,
            10**16,
            31338 - n % 2,
            2**255 + n,
            1_700_000_000 + n // 2,
            blocks[n % len(blocks)],
            word(blocks[n % len(blocks)]),
            n,
            word(20_000 + n),
            ("created", "withdrawn", "cancelled")[n % 3],
        )
        for n in range(count)
    ]
    marks = ", ".join(f"${n}" for n in range(1, 23))
    await pool.executemany(f"INSERT INTO src_escrow VALUES ({marks})", rows)
    await new_block(pool)


async def save_swap(pool: Pool, number: int, *, secret: int | None = None, completed_at: int | None = None) -> None:
    await pool.execute(
        "INSERT INTO atomic_swap (id, status, secret, completed_at) VALUES ($1, $2, $3, $4)",
        word(number),
        "src_created" if completed_at is None else "completed",
        None if secret is None else word(secret),
        completed_at,
    )
    await new_block(pool)
