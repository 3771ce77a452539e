"""A kept answer is never older than the tables."""

from prometheus_client import REGISTRY
from tests.support.graphql_rig import FINAL_NUMBER, ask, data, graphql_app, save_heads, save_src_escrows

from bmn.pg.pool import Pool

COUNT = "{ srcEscrows { totalCount } }"


def kept_answers() -> float:
    return REGISTRY.get_sample_value("bmn_graphql_answers_total", {"source": "kept"}) or 0


async def test_a_block_that_is_written_or_taken_back_shows_at_once(store: Pool) -> None:
    await save_heads(store)
    app = graphql_app(store)
    assert await data(app, COUNT) == {"srcEscrows": {"totalCount": 0}}
    await save_src_escrows(store, 2)
    assert await data(app, COUNT) == {"srcEscrows": {"totalCount": 2}}
    async with store.acquire() as conn, conn.transaction():
        await conn.execute("DELETE FROM src_escrow WHERE id LIKE '31337-%'")
        await conn.execute("UPDATE chain_heads SET number = number - 1 WHERE chain_id = 31337")
    answer = await ask(app, COUNT)
    assert answer["data"] == {"srcEscrows": {"totalCount": 1}}
    assert answer["extensions"]["chains"]["alpha"]["block"]["number"] == 99


async def test_rows_that_are_built_again_show_at_once(store: Pool) -> None:
    await save_heads(store)
    await store.execute("INSERT INTO chain_statistics VALUES ('31337', 31337, 1, 5, 0, 0, 0, 0, 0, 0, 0, 0)")
    app, query = graphql_app(store), "{ chainStatistics(chainId: 31337) { srcEscrows } }"
    assert await data(app, query) == {"chainStatistics": {"srcEscrows": "0"}}
    await store.execute("UPDATE chain_statistics SET src_escrows = 7")
    assert await data(app, query) == {"chainStatistics": {"srcEscrows": "7"}}


async def test_a_query_is_answered_from_what_is_kept_while_nothing_happens(store: Pool) -> None:
    await save_heads(store)
    app, before = graphql_app(store), kept_answers()
    first = await ask(app, COUNT)
    second = await ask(app, COUNT)
    assert kept_answers() == before + 1
    assert second["data"] == first["data"]
    assert second["extensions"]["chains"]["alpha"]["lagSeconds"] >= first["extensions"]["chains"]["alpha"]["lagSeconds"]


async def test_rows_become_final_with_their_chain(store: Pool) -> None:
    await save_heads(store)
    await save_src_escrows(store, 1, blocks=[FINAL_NUMBER + 1])
    app, query = graphql_app(store), "{ srcEscrows { items { level } } }"
    assert await data(app, query) == {"srcEscrows": {"items": [{"level": "seen"}]}}
    await store.execute("UPDATE chain_heads SET final_number = final_number + 1")
    assert await data(app, query) == {"srcEscrows": {"items": [{"level": "finalized"}]}}
