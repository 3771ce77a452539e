"""`bmn swap` over a real database, in a process of its own."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.postgres import fresh_database
from tests.support.stored_swaps import put_swap

from bmn.core.signed_order import SwapTerms
from bmn.core.swap import Decision, State
from bmn.core.units import Hashlock, Secret, UnixTime
from bmn.pg.pool import Pool, connection, open_pool, transaction
from bmn.store.swaps import load_swap, save_decision


@pytest.fixture
def dsn(postgres: str, store_template: str) -> Iterator[str]:
    with fresh_database(postgres, template=store_template) as address:
        yield address


@pytest.fixture
async def pool(dsn: str) -> AsyncIterator[Pool]:
    async with open_pool(dsn, size=1) as pool:
        yield pool


async def start(folder: Path, dsn: str, *words: str, group: str = "swap") -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bmn", group, *words),
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not name.startswith("BMN_")}
        | {"BMN_DATABASE_URL": dsn, "BMN_HOME": str(folder)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def bmn(folder: Path, dsn: str, *words: str, group: str = "swap") -> tuple[int, str, str]:
    process = await start(folder, dsn, *words, group=group)
    async with asyncio.timeout(60):
        said, remarks = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode(), remarks.decode()


async def orders(folder: Path, dsn: str, *words: str) -> list[str]:
    code, said, remarks = await bmn(folder, dsn, "list", *words, "--json")
    assert code == 0, remarks
    return [swap["order_hash"] for swap in json.loads(said)]


async def move(pool: Pool, hashlock: Hashlock, state: State, wake: int | None = None) -> None:
    async with transaction(pool) as conn:
        swap = await load_swap(conn, hashlock)
        assert swap is not None
        wake_src = None if wake is None else UnixTime(wake)
        decision = Decision(state=state, actions=(), reason="TEST", wake_src=wake_src)
        await save_decision(conn, swap, decision, actor="test")


@pytest.fixture
async def swaps(pool: Pool) -> list[SwapTerms]:
    """Filling, ended, accepted."""
    made = [await put_swap(pool, number, secret=Secret(bytes([number]) * 32)) for number in (1, 2, 3)]
    await move(pool, made[0].hashlock, State.FILLING, wake=1_800_000_000)
    await move(pool, made[1].hashlock, State.EXPIRED)
    return made


async def test_swaps_are_listed_by_state_maker_and_whether_they_go_on(
    tmp_path: Path, dsn: str, swaps: list[SwapTerms]
) -> None:
    first, second, third = (str(terms.order_hash) for terms in swaps)
    assert await orders(tmp_path, dsn) == [third, second, first]
    assert await orders(tmp_path, dsn, "--state", "expired") == [second]
    assert await orders(tmp_path, dsn, "--open") == [third, first]
    assert await orders(tmp_path, dsn, "--maker", str(swaps[0].maker), "--limit", "2") == [third, second]
    assert await orders(tmp_path, dsn, "--maker", "0x" + "11" * 20) == []
    assert await orders(tmp_path, dsn, "--below", "2") == [first]


async def test_filters_that_do_not_go_together_are_refused(tmp_path: Path, dsn: str) -> None:
    for words in (["--open", "--state", "SETTLED"], ["--due", "alpha", "--below", "3"]):
        code, _, remarks = await bmn(tmp_path, dsn, "list", *words)
        assert (code, remarks.startswith("USAGE")) == (2, True)
    code, _, remarks = await bmn(tmp_path, dsn, "list", "--state", "LOST")
    assert (code, remarks.startswith("UNKNOWN_STATE")) == (2, True)
    code, _, remarks = await bmn(tmp_path, dsn, "list", "--due", "gamma")
    assert (code, remarks.startswith("CHAIN_UNKNOWN")) == (3, True)


async def test_the_history_of_a_swap_is_shown_and_checked(
    tmp_path: Path, dsn: str, pool: Pool, swaps: list[SwapTerms]
) -> None:
    name = str(swaps[0].hashlock)
    code, said, remarks = await bmn(tmp_path, dsn, "history", name)
    assert code == 0, remarks
    assert said.splitlines()[-1].startswith("whole")
    code, said, _ = await bmn(tmp_path, dsn, "history", name, "--json")
    document: dict[str, Any] = json.loads(said)
    assert document["fault"] is None
    assert [(event["version"], event["after"], event["actor"]) for event in document["events"]] == [
        (1, "ACCEPTED", "test"),
        (2, "FILLING", "test"),
    ]
    async with connection(pool) as conn:
        await conn.execute("ALTER TABLE swaps DISABLE TRIGGER check_swap_move")
        await conn.execute("UPDATE swaps SET state = 'SETTLED' WHERE hashlock = $1", swaps[0].hashlock)
    code, said, _ = await bmn(tmp_path, dsn, "history", name)
    assert "BROKEN: the swap is SETTLED at version 2" in said


async def test_transactions_are_found_by_either_name_and_an_unknown_one_is_told(
    tmp_path: Path, dsn: str, pool: Pool, swaps: list[SwapTerms]
) -> None:
    terms = swaps[0]
    async with connection(pool) as conn:
        number = await conn.fetchval(
            """
            INSERT INTO intents (hashlock, action, ordinal, chain_id, signer, nonce, target, calldata, value, urgency,
                                 bears_secret, state, wanted)
            VALUES ($1, 'fill', 0, $2, $3, 0, $3, '', 0, 2, false, 'pending', true) RETURNING id
            """,
            terms.hashlock,
            terms.src_chain,
            terms.maker,
        )
        await conn.execute(
            """
            INSERT INTO txs (hash, intent_id, chain_id, signer, nonce, raw, max_fee, priority_fee, signed_at, is_cancel)
            VALUES ($1, $2, $3, $4, 0, '', 1, 1, 7, false)
            """,
            bytes(32),
            number,
            terms.src_chain,
            terms.maker,
        )
    for name in (terms.order_hash, terms.hashlock):
        code, said, remarks = await bmn(tmp_path, dsn, "list", str(name), "--json", group="tx")
        assert code == 0, remarks
        assert [tx["action"] for tx in json.loads(said)] == ["fill"]
    code, _, remarks = await bmn(tmp_path, dsn, "list", "0x" + "11" * 32, group="tx")
    assert (code, remarks.partition(":")[0]) == (3, "SWAP_UNKNOWN")


async def test_watch_prints_what_happens_until_it_is_stopped(
    tmp_path: Path, dsn: str, pool: Pool, swaps: list[SwapTerms]
) -> None:
    process = await start(tmp_path, dsn, "watch", "--json", "--after", "4")
    assert process.stdout is not None
    async with asyncio.timeout(60):
        before = json.loads(await process.stdout.readline())
        await move(pool, swaps[2].hashlock, State.FILLING)
        then = json.loads(await process.stdout.readline())
        process.terminate()
        await process.wait()
    assert [(event["number"], event["event"], event["state"]) for event in (before, then)] == [
        (5, "order.updated", "EXPIRED"),
        (6, "order.updated", "FILLING"),
    ]
