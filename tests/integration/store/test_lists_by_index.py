"""Every list of swaps reads its index and no more, page by page; `make bench-state` times them on a million orders."""

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import pytest
from tests.support.million import DST, SRC, fill
from tests.support.postgres import fresh_database, in_thread

from bmn.core.swap import State
from bmn.core.units import Address, ChainId
from bmn.pg.pool import Connection, connection, open_pool
from bmn.store import feed, history, swaps
from bmn.store.swaps import (
    DueSwap,
    StoredSwap,
    load_open_swaps,
    load_swap,
    load_swaps,
    load_swaps_due,
    load_swaps_in,
    load_swaps_of,
)

COUNT = 20_000
ALL = 2**63 - 1


@pytest.fixture(scope="module")
def filled_database(postgres: str, store_template: str) -> Iterator[str]:
    async def fill_it(dsn: str) -> None:
        async with open_pool(dsn, size=1) as pool, connection(pool) as conn:
            await fill(conn, COUNT)

    with fresh_database(postgres, template=store_template) as dsn:
        in_thread(fill_it(dsn))
        yield dsn


@pytest.fixture
async def filled(filled_database: str) -> AsyncIterator[Connection]:
    """The tests here only read."""
    async with open_pool(filled_database, size=1) as pool, connection(pool) as conn:
        yield conn


async def a_maker(conn: Connection) -> Address:
    return Address(await conn.fetchval("SELECT maker FROM orders ORDER BY number LIMIT 1"))


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(inner for child in plan.get("Plans", []) for inner in nodes(child))]


async def reads(conn: Connection, statement: str, *values: object) -> tuple[set[str], int]:
    """Names of the indexes a statement used, and how many rows it touched at most at one place."""
    text = await conn.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", *values)
    found = nodes(json.loads(text)[0]["Plan"])
    assert not [node for node in found if node["Node Type"] == "Seq Scan"], text
    rows = max((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"] for node in found)
    return {node["Index Name"] for node in found if "Index Name" in node}, rows


async def test_each_list_reads_its_index_no_further_than_its_page(filled: Connection) -> None:
    conn, maker = filled, await a_maker(filled)
    hashlock = (await load_swaps(conn, limit=1))[0].hashlock
    cases: list[tuple[str, Sequence[object], set[str], int]] = [
        (swaps._LOAD, [hashlock], {"swaps_pkey"}, 1),
        (swaps._NEWEST, [ALL, 50], {"orders_by_number"}, 50),
        (swaps._IN_STATE, [State.SETTLED.value, ALL, 50], {"swaps_by_state"}, 50),
        (swaps._IN_STATE, [State.AWAIT_SECRET.value, COUNT // 2, 50], {"swaps_by_state"}, 50),
        (swaps._OPEN, [ALL, 50], {"swaps_open"}, 50),
        (swaps._OF_MAKER, [maker, ALL, 10], {"orders_by_maker"}, 10),
        (swaps._DUE, [SRC, -1, -1, 50], {"swaps_wake_src", "swaps_wake_dst"}, 50),
        (swaps._DUE, [DST, 1_800_000_100, 7, 50], {"swaps_wake_src", "swaps_wake_dst"}, 50),
    ]
    for statement, values, wanted, page in cases:
        used, rows = await reads(conn, statement, *values)
        assert wanted <= used, (statement, used)
        assert rows <= page, (statement, rows)


async def test_the_feed_reads_the_numbers_it_has_not_seen(filled: Connection) -> None:
    used, rows = await reads(filled, feed._READ, 100, 100)
    assert {"swap_events_by_number", "secret_events_pkey", "orders_pkey"} <= used
    assert rows <= 100
    used, rows = await reads(filled, feed._LAST)
    assert used == {"swap_events_by_number", "secret_events_pkey"}
    assert rows == 1


async def test_a_history_reads_its_own_rows(filled: Connection) -> None:
    [swap] = await load_swaps(filled, limit=1)
    used, rows = await reads(filled, history._LOAD, swap.hashlock)
    assert used == {"swap_events_pkey"}
    assert rows == 1


async def test_the_sweep_reads_open_swaps_only(filled: Connection) -> None:
    used, rows = await reads(filled, swaps._IDLE, 0.0, 1000)
    assert used == {"swaps_open"}
    assert rows == COUNT * 6 // 100


async def test_pages_go_on_where_the_last_ended_and_leave_nothing_out(filled: Connection) -> None:
    conn, maker = filled, await a_maker(filled)

    async def newest(page: Sequence[StoredSwap]) -> Sequence[StoredSwap]:
        return await load_swaps(conn, limit=7001, below=page[-1].number if page else None)

    async def settled(page: Sequence[StoredSwap]) -> Sequence[StoredSwap]:
        return await load_swaps_in(conn, State.SETTLED, limit=7001, below=page[-1].number if page else None)

    async def opened(page: Sequence[StoredSwap]) -> Sequence[StoredSwap]:
        return await load_open_swaps(conn, limit=499, below=page[-1].number if page else None)

    async def made(page: Sequence[StoredSwap]) -> Sequence[StoredSwap]:
        return await load_swaps_of(conn, maker, limit=7, below=page[-1].number if page else None)

    for read, count in ((newest, COUNT), (settled, COUNT * 8 // 10), (opened, COUNT * 6 // 100), (made, 20)):
        numbers: list[int] = []
        page = await read([])
        while page:
            numbers += [swap.number for swap in page]
            page = await read(page)
        assert numbers == sorted(set(numbers), reverse=True)
        assert len(numbers) == count


@pytest.mark.parametrize("chain", [SRC, DST])
async def test_deadlines_come_soonest_first_by_the_time_of_the_chain_asked(filled: Connection, chain: ChainId) -> None:
    seen: list[tuple[int, int]] = []
    page: list[DueSwap] = await load_swaps_due(filled, chain, limit=499)
    while page:
        seen += [(due.due_at, due.swap.number) for due in page]
        page = await load_swaps_due(filled, chain, limit=499, above=page[-1])
    assert seen == sorted(set(seen))
    assert len(seen) == COUNT * 6 // 100
    assert await load_swaps_due(filled, ChainId(1)) == []


async def test_open_swaps_are_those_that_are_not_terminal(filled: Connection) -> None:
    assert {swap.state for swap in await load_open_swaps(filled, limit=COUNT)} == {
        State.AWAIT_SECRET,
        State.SRC_LIVE,
    }


async def test_the_number_of_a_swap_is_that_of_its_order(filled: Connection) -> None:
    [newest] = await load_swaps(filled, limit=1)
    assert await load_swap(filled, newest.hashlock) == newest
    assert await filled.fetchval("SELECT count(*) FROM swaps s JOIN orders o USING (hashlock, number)") == COUNT
