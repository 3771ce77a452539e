"""A message that its worker could not keep is not sent to the end of the line."""

import pytest

from bmn.pg.pool import open_pool, transaction
from bmn.pg.queue import NewMessage, claim, enqueue, put_back, retry_later, sweep_expired

EXPIRED = -1.0


@pytest.mark.parametrize("how", ["its worker died", "its worker stopped"])
async def test_a_message_that_comes_back_keeps_its_place(engine_database: str, how: str) -> None:
    async with open_pool(engine_database, size=2) as pool:
        async with transaction(pool) as conn:
            for payload in (b"first", b"second"):
                await enqueue(conn, NewMessage(queue="q", kind="k@1", payload=payload))
        [first] = await claim(pool, ["q"], 1, EXPIRED)
        if how == "its worker died":
            assert await sweep_expired(pool) == 1
        else:
            await put_back(pool, first)
        assert [one.payload for one in await claim(pool, ["q"], 1, EXPIRED)] == [b"first"]


async def test_a_message_that_failed_waits_behind_the_others(engine_database: str) -> None:
    async with open_pool(engine_database, size=2) as pool:
        async with transaction(pool) as conn:
            for payload in (b"first", b"second"):
                await enqueue(conn, NewMessage(queue="q", kind="k@1", payload=payload))
        [first] = await claim(pool, ["q"], 1, 60.0)
        await retry_later(pool, first, "failed", 0.0)
        assert [one.payload for one in await claim(pool, ["q"], 1, 60.0)] == [b"second"]
