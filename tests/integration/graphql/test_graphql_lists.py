"""Lists of the projections over GraphQL, as a client of Ponder asks for them."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from litestar.types import ASGIApp
from tests.support.graphql_rig import (
    account,
    ask,
    code,
    data,
    graphql_app,
    new_block,
    save_heads,
    save_src_escrows,
    save_swap,
    word,
)

from bmn.api.graphql.document import read_document
from bmn.api.graphql.plan import AskPage, plan_operation
from bmn.api.graphql.schema import build_graphql_schema
from bmn.pg.pool import Pool
from bmn.store.published import TABLES

COLUMNS = (
    "id chainId escrowAddress orderHash hashlock maker taker srcToken srcAmount srcSafetyDeposit dstMaker dstToken "
    "dstAmount dstSafetyDeposit dstChainId timelocks createdAt blockNumber transactionHash status"
)


@pytest.fixture
async def app(store: Pool) -> ASGIApp:
    await save_heads(store)
    return graphql_app(store)


def ids(page: dict[str, Any]) -> list[str]:
    return [item["id"] for item in page["items"]]


async def test_the_list_a_client_of_ponder_asks_for_comes_as_from_ponder(app: ASGIApp, store: Pool) -> None:
    await save_src_escrows(store, 12)
    arguments = 'where: {chainId: 31337, status: "created"}, orderBy: "createdAt", orderDirection: "desc", limit: 1'
    found = await data(app, f"{{ srcEscrows({arguments}) {{ items {{ {COLUMNS} }} pageInfo {{ hasNextPage }} }} }}")
    assert found == {
        "srcEscrows": {
            "items": [
                {
                    "id": f"31337-{account(6)}",
                    "chainId": 31337,
                    "escrowAddress": account(6),
                    "orderHash": word(6),
                    "hashlock": word(10_006),
                    "maker": account(1),
                    "taker": account(2),
                    "srcToken": account(3),
                    "srcAmount": str(10**21 + 6),
                    "srcSafetyDeposit": str(10**16),
                    "dstMaker": account(1),
                    "dstToken": account(4),
                    "dstAmount": str(2 * 10**21 + 6),
                    "dstSafetyDeposit": str(10**16),
                    "dstChainId": "31338",
                    "timelocks": str(2**255 + 6),
                    "createdAt": "1700000003",
                    "blockNumber": "1",
                    "transactionHash": word(20_006),
                    "status": "created",
                }
            ],
            "pageInfo": {"hasNextPage": True},
        }
    }


async def test_every_column_of_every_table_can_be_asked_for_and_every_list_counted(app: ASGIApp) -> None:
    for table in TABLES:
        columns = " ".join(table.columns)
        found = await data(app, f"{{ {table.name}s {{ totalCount items {{ {columns} }} pageInfo {{ endCursor }} }} }}")
        assert found == {f"{table.name}s": {"totalCount": 0, "items": [], "pageInfo": {"endCursor": None}}}


async def test_one_row_is_asked_for_by_its_id_and_is_null_when_there_is_none(app: ASGIApp, store: Pool) -> None:
    await save_swap(store, 7, secret=8, completed_at=9)
    query = "query ($id: String!) { atomicSwap(id: $id) { __typename id status secret completedAt srcAmount } }"
    swap = {"__typename": "atomicSwap", "id": word(7), "status": "completed", "secret": word(8), "completedAt": "9"}
    assert await data(app, query, id=word(7)) == {"atomicSwap": {**swap, "srcAmount": None}}
    assert await data(app, query, id=word(8)) == {"atomicSwap": None}


async def test_statistics_are_asked_for_by_chain(app: ASGIApp, store: Pool) -> None:
    await store.execute("INSERT INTO chain_statistics VALUES ('31337', 31337, 1, 5, 1, 2, 3, 4, 5, 6, 7, 8)")
    found = await data(app, "{ chainStatistics(chainId: 31337) { srcEscrows bmnTransfers } }")
    assert found == {"chainStatistics": {"srcEscrows": "1", "bmnTransfers": "8"}}


TESTS: list[tuple[str, Callable[[int], bool]]] = [
    ("chainId: 31337", lambda n: n % 2 == 0),
    ("chainId_not: 31337", lambda n: n % 2 == 1),
    ("chainId_in: [31337, 31339]", lambda n: n % 2 == 0),
    ("chainId_not_in: [31337, 31339]", lambda n: n % 2 == 1),
    ("chainId_in: []", lambda _: False),
    ('createdAt_gt: "1700000002"', lambda n: n // 2 > 2),
    ('createdAt_gte: "1700000002"', lambda n: n // 2 >= 2),
    ('createdAt_lt: "1700000002"', lambda n: n // 2 < 2),
    ('createdAt_lte: "1700000002"', lambda n: n // 2 <= 2),
    (f'srcAmount: "{10**21 + 3}"', lambda n: n == 3),
    (f'createdAt_lt: "{10**30}"', lambda _: True),
    (f'createdAt_gt: "{10**30}"', lambda _: False),
    (f'createdAt_in: ["{10**30}", "1700000000"]', lambda n: n < 2),
    ('status_contains: "draw"', lambda n: n % 3 == 1),
    ('status_not_contains: "draw"', lambda n: n % 3 != 1),
    ('status_starts_with: "c"', lambda n: n % 3 != 1),
    ('status_not_starts_with: "c"', lambda n: n % 3 == 1),
    ('status_ends_with: "ed"', lambda n: n % 3 != 1),
    ('status_not_ends_with: "ed"', lambda n: n % 3 == 1),
    ('status_contains: "%"', lambda _: False),
    ('status_starts_with: "_reated"', lambda _: False),
    ("status: null", lambda _: False),
    ("status_not: null", lambda _: True),
    ('OR: [{status: "created", chainId: 31337}, {status: "cancelled"}]', lambda n: n % 6 == 0 or n % 3 == 2),
    ('AND: [{status_not: "created"}, {chainId: 31338}]', lambda n: n % 3 != 0 and n % 2 == 1),
    ('chainId: 31337, OR: [{status: "created"}, {status: "cancelled"}]', lambda n: n % 2 == 0 and n % 3 != 1),
    ("AND: [], OR: []", lambda _: True),
    ("AND: [{}]", lambda _: True),
]


@pytest.mark.parametrize(("where", "is_in"), TESTS, ids=[where for where, _ in TESTS])
async def test_a_filter_lets_through_exactly_what_it_says(
    app: ASGIApp, store: Pool, where: str, is_in: Callable[[int], bool]
) -> None:
    await save_src_escrows(store, 12)
    found = await data(app, f"{{ srcEscrows(where: {{{where}}}) {{ totalCount items {{ escrowAddress }} }} }}")
    expected = {account(n) for n in range(12) if is_in(n)}
    assert {item["escrowAddress"] for item in found["srcEscrows"]["items"]} == expected
    assert found["srcEscrows"]["totalCount"] == len(expected)


async def test_rows_of_final_blocks_and_of_blocks_with_confirmations_can_be_asked_for(
    app: ASGIApp, store: Pool
) -> None:
    await save_src_escrows(store, 4, blocks=[90, 91, 99, 100])  # head 100, final 90

    async def blocks(arguments: str) -> list[tuple[str, str, int]]:
        query = (
            f'{{ srcEscrows(orderBy: "blockNumber" {arguments}) {{ items {{ blockNumber level confirmations }} }} }}'
        )
        found = await data(app, query)
        return [(i["blockNumber"], i["level"], i["confirmations"]) for i in found["srcEscrows"]["items"]]

    every = [("90", "finalized", 11), ("91", "seen", 10), ("99", "seen", 2), ("100", "seen", 1)]
    assert await blocks("") == every
    assert await blocks(", level: seen") == every
    assert await blocks(", level: finalized") == every[:1]
    assert await blocks(", confirmations: 2") == every[:3]
    assert await blocks(", confirmations: 3") == every[:2]


@pytest.mark.parametrize("direction", ["asc", "desc"])
@pytest.mark.parametrize("order", ["id", "createdAt", "srcAmount", "status"])
async def test_pages_forwards_and_backwards_hold_every_row_once_in_order(
    app: ASGIApp, store: Pool, order: str, direction: str
) -> None:
    await save_src_escrows(store, 11)
    page = (
        "query ($a: String, $b: String) { "
        'srcEscrows(orderBy: "%s", orderDirection: "%s", limit: %d, after: $a, before: $b) '
        "{ items { id } pageInfo { startCursor endCursor hasNextPage hasPreviousPage } } }"
    )
    whole = ids((await data(app, page % (order, direction, 50)))["srcEscrows"])
    assert len(set(whole)) == 11
    forwards: list[str] = []
    cursor = None
    while True:
        found = (await data(app, page % (order, direction, 4), a=cursor))["srcEscrows"]
        forwards += ids(found)
        assert found["pageInfo"]["hasPreviousPage"] == (cursor is not None)
        if not found["pageInfo"]["hasNextPage"]:
            break
        cursor = found["pageInfo"]["endCursor"]
    assert forwards == whole
    backwards = ids(found)
    while found["pageInfo"]["hasPreviousPage"]:
        found = (await data(app, page % (order, direction, 4), b=found["pageInfo"]["startCursor"]))["srcEscrows"]
        backwards = ids(found) + backwards
        assert found["pageInfo"]["hasNextPage"]
    assert backwards == whole


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    times=st.lists(st.none() | st.integers(0, 3), min_size=1, max_size=8),
    direction=st.sampled_from(["asc", "desc"]),
    limit=st.integers(1, 3),
    is_backwards=st.booleans(),
)
async def test_pages_over_a_column_with_nulls_hold_every_row_once(
    app: ASGIApp, store: Pool, times: list[int | None], direction: str, limit: int, is_backwards: bool
) -> None:
    await store.execute("TRUNCATE atomic_swap")
    await new_block(store)
    for number, time in enumerate(times):
        await save_swap(store, number, completed_at=time)
    side = "before" if is_backwards else "after"
    query = (
        f'query ($at: String) {{ atomicSwaps(orderBy: "completedAt", orderDirection: "{direction}", limit: LIMIT, '
        f"{side}: $at) {{ items {{ id }} pageInfo {{ startCursor endCursor hasNextPage hasPreviousPage }} }} }}"
    )
    whole = ids((await data(app, query.replace("LIMIT", "50")))["atomicSwaps"])
    found = (await data(app, query.replace("LIMIT", "1000" if is_backwards else str(limit))))["atomicSwaps"]
    walked = ids(found)
    if is_backwards:
        walked = walked[-1:]
        found["pageInfo"] |= {"hasPreviousPage": len(whole) > 1, "startCursor": found["pageInfo"]["endCursor"]}
    while found["pageInfo"]["hasPreviousPage" if is_backwards else "hasNextPage"]:
        cursor = found["pageInfo"]["startCursor" if is_backwards else "endCursor"]
        found = (await data(app, query.replace("LIMIT", str(limit)), at=cursor))["atomicSwaps"]
        walked = ids(found) + walked if is_backwards else walked + ids(found)
    assert walked == whole


async def test_a_page_begins_behind_a_row_that_is_gone(app: ASGIApp, store: Pool) -> None:
    await save_src_escrows(store, 6)
    first = (await data(app, "{ srcEscrows(limit: 2) { items { id } pageInfo { endCursor } } }"))["srcEscrows"]
    everything = ids((await data(app, "{ srcEscrows { items { id } } }"))["srcEscrows"])
    await store.execute("DELETE FROM src_escrow WHERE id = $1", everything[1])
    await new_block(store)
    query = "query ($at: String) { srcEscrows(limit: 2, after: $at) { items { id } pageInfo { hasNextPage } } }"
    second = (await data(app, query, at=first["pageInfo"]["endCursor"]))["srcEscrows"]
    assert ids(second) == everything[2:4]
    assert second["pageInfo"]["hasNextPage"]


async def test_an_offset_skips_rows(app: ASGIApp, store: Pool) -> None:
    await save_src_escrows(store, 6)
    everything = ids((await data(app, "{ srcEscrows { items { id } } }"))["srcEscrows"])
    found = await data(app, "{ srcEscrows(offset: 4) { items { id } pageInfo { hasPreviousPage hasNextPage } } }")
    assert ids(found["srcEscrows"]) == everything[4:]
    assert found["srcEscrows"]["pageInfo"] == {"hasPreviousPage": True, "hasNextPage": False}


async def test_fragments_aliases_and_conditions_shape_the_answer(app: ASGIApp, store: Pool) -> None:
    await save_src_escrows(store, 1)
    query = """
        query Shape($no: Boolean!, $n: Int) {
            list: srcEscrows(limit: $n) { ...page __typename total: totalCount }
            none: dstEscrows { totalCount @include(if: $no) items @skip(if: $no) { id } }
        }
        fragment page on srcEscrowPage { items { ... on srcEscrow { block: blockNumber } kind: __typename } }
    """
    assert await data(app, query, no=False, n=5) == {
        "list": {
            "items": [{"block": "1", "kind": "srcEscrow"}],
            "__typename": "srcEscrowPage",
            "total": 1,
        },
        "none": {"items": []},
    }


async def test_every_answer_says_where_the_chains_stand(app: ASGIApp) -> None:
    answer = await ask(app, "{ _meta { status } }")
    standing = answer["extensions"]["chains"]
    assert answer["data"] == {"_meta": {"status": standing}}
    assert standing["alpha"].pop("lagSeconds") > 0
    assert standing["alpha"] == {
        "id": 31337,
        "block": {"number": 100, "timestamp": 1_700_000_100},
        "finalized": {"number": 90, "timestamp": 1_700_000_090},
        "halted": None,
    }


async def test_a_chain_that_was_not_read_yet_stands_nowhere(store: Pool) -> None:
    answer = await ask(graphql_app(store), "{ srcEscrows { totalCount } }")
    assert answer["extensions"]["chains"]["beta"] == {
        "id": 31338,
        "block": None,
        "finalized": None,
        "lagSeconds": None,
        "halted": None,
    }


async def test_orders_that_would_earn_enough_for_a_resolver_are_found(app: ASGIApp, store: Pool) -> None:
    await save_src_escrows(store, 6)  # 0 and 3 are open
    for n in range(6):
        await save_swap(store, 10_000 + n, completed_at=5 if n == 0 else None)
    query = """
        query PROFITABLE_ORDERS($resolver: String!, $margin: BigInt!) {
            profitableOrders(where: {dstMaker: $resolver, marginBps_gt: $margin}, orderBy: "marginBps") {
                items { hashlock escrowAddress timelocks marginBps level }
            }
        }
    """
    order = {
        "hashlock": word(10_003),
        "escrowAddress": account(3),
        "timelocks": str(2**255 + 3),
        "marginBps": "-10000",
        "level": "finalized",
    }
    assert await data(app, query, resolver=account(1), margin="-10001") == {"profitableOrders": {"items": [order]}}
    assert await data(app, query, resolver=account(1), margin="-10000") == {"profitableOrders": {"items": []}}
    assert await data(app, query, resolver=account(2), margin="-10001") == {"profitableOrders": {"items": []}}
    await store.execute("UPDATE src_escrow SET dst_amount = $1 WHERE escrow_address = $2", 10**21 - 10**18, account(3))
    await new_block(store)
    found = await data(app, query, resolver=account(1), margin="9")
    assert found["profitableOrders"]["items"][0]["marginBps"] == "10"  # 10.00... rounded down


async def test_the_list_of_a_chain_by_status_and_time_reads_an_index(store: Pool) -> None:
    await save_src_escrows(store, 600)
    await store.execute("ANALYZE src_escrow")
    arguments = 'where: {chainId: 31337, status: "created"}, orderBy: "createdAt", orderDirection: "desc", limit: 10'
    schema = build_graphql_schema()
    document = read_document(schema, f"{{ srcEscrows({arguments}) {{ items {{ {COLUMNS} }} }} }}")
    ((_, asked),) = plan_operation(schema, document, None, {})
    assert isinstance(asked, AskPage)
    assert asked.rows is not None
    explained = str(await store.fetch("EXPLAIN " + asked.rows.sql, *asked.rows.values))
    assert "src_escrow_by_status" in explained
    assert "Sort" not in explained


async def test_an_unfit_request_has_its_code(app: ASGIApp) -> None:
    for arguments, expected in {
        "limit: -1": "BAD_LIMIT",
        "limit: 1001": "BAD_LIMIT",
        "offset: -1": "BAD_OFFSET",
        'after: "nonsense"': "BAD_CURSOR",
        'after: "", before: ""': "BAD_CURSOR",
        'orderBy: "nothing"': "BAD_ORDER",
        'orderBy: "level"': "BAD_ORDER",
        'orderDirection: "up"': "BAD_ORDER",
        'where: {status: "\\u0000"}': "BAD_TEXT",
        'where: {createdAt: "1.5"}': "GQL_VALIDATION",
        "where: {nothing: 1}": "GQL_VALIDATION",
    }.items():
        assert await code(app, f"{{ srcEscrows({arguments}) {{ items {{ id }} }} }}") == expected, arguments


async def test_a_cursor_of_another_order_is_refused(app: ASGIApp, store: Pool) -> None:
    await save_src_escrows(store, 2)
    found = await data(app, '{ srcEscrows(orderBy: "srcAmount", limit: 1) { pageInfo { endCursor } } }')
    query = "query ($at: String) { srcEscrows(after: $at) { items { id } } }"
    assert await code(app, query, at=found["srcEscrows"]["pageInfo"]["endCursor"]) == "BAD_CURSOR"


async def test_an_answer_that_takes_too_long_is_given_up(store: Pool) -> None:
    async with store.acquire() as conn, conn.transaction():
        await conn.execute("LOCK TABLE src_escrow")
        assert await code(graphql_app(store, seconds=0.2), "{ srcEscrows { totalCount } }") == "GQL_TIMEOUT"
