"""`bmn queue` against a real database: what a person types, and what a script reads."""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from bmn.app import LOCATIONS
from bmn.messages import QUEUES
from bmn.pg.migrate import upgrade
from bmn.pg.pool import Pool, open_pool, transaction
from bmn.pg.queue import NewMessage, bury, claim, enqueue

Bmn = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
def bmn(database: str, tmp_path: Path) -> Bmn:
    """Return exit code, standard output and standard error of a command."""

    async def run(*words: str) -> tuple[int, str, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bmn", *words),
            env=os.environ | {"BMN_DATABASE_URL": database},
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(60):
            out, said = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode(), said.decode()

    return run


async def kill(pool: Pool, payload: str, queue: str = "orders:execution", *, error: str = "BROKE: because") -> int:
    async with transaction(pool) as conn:
        await enqueue(conn, NewMessage(queue=queue, kind="k@1", payload=payload.encode(), trace="block 7"))
    [one] = await claim(pool, [queue], 1, 60.0)
    await bury(pool, one, error, code="BROKE")
    return one.id


async def read(bmn: Bmn, *words: str) -> Any:
    code, out, said = await bmn(*words, "--json")
    assert (code, said) == (0, "")
    return json.loads(out)


async def test_an_operator_finds_inspects_retries_and_drops_what_is_dead(bmn: Bmn, database: str) -> None:
    await upgrade(database, LOCATIONS)
    async with open_pool(database) as pool:
        first, second = await kill(pool, "one"), await kill(pool, "two", "orders:critical")
        depth = {one["queue"]: (one["ready"], one["dead"]) for one in await read(bmn, "queue", "depth")}
        assert depth == {queue: (0, int(queue in {"orders:execution", "orders:critical"})) for queue in QUEUES}
        listed = await read(bmn, "queue", "dead", "list")
        assert [one["id"] for one in listed] == [second, first]
        assert [one["id"] for one in await read(bmn, "queue", "dead", "list", "--queue", "orders:execution")] == [first]
        shown = await read(bmn, "queue", "dead", "show", str(first))
        assert (shown["code"], shown["error"], shown["trace"], shown["payload"]) == (
            "BROKE",
            "BROKE: because",
            "block 7",
            "one",
        )
        _, text, _ = await bmn("queue", "dead", "show", str(first))
        assert text.startswith("k@1 on orders:execution, from block 7\n1 attempts; put ")
        assert await read(bmn, "queue", "dead", "retry", str(first)) == {"retried": 1}
        [again] = await claim(pool, ["orders:execution"], 1, 60.0)
        assert again.payload == b"one"
        assert await read(bmn, "queue", "dead", "drop", "--all", "--queue", "orders:discovery") == {"dropped": 0}
        assert await read(bmn, "queue", "dead", "drop", str(second)) == {"dropped": 1}
        assert await read(bmn, "queue", "dead", "list") == []


async def test_what_a_message_holds_does_not_move_the_terminal(bmn: Bmn, database: str) -> None:
    await upgrade(database, LOCATIONS)
    async with open_pool(database) as pool:
        number = await kill(pool, "one\x1b[2J\r\ntwo", error="BROKE: \x1b[1Ait\nsaid")
    _, shown, _ = await bmn("queue", "dead", "show", str(number))
    assert shown.splitlines()[2:] == ["BROKE: �[1Ait�said", "one�[2J��two"]
    _, listed, _ = await bmn("queue", "dead", "list")
    assert listed.count("\n") == 2
    assert "\x1b" not in listed


async def test_all_of_a_kind_are_retried_at_once(bmn: Bmn, database: str) -> None:
    await upgrade(database, LOCATIONS)
    async with open_pool(database) as pool:
        for number in range(3):
            await kill(pool, str(number))
        assert await read(bmn, "queue", "dead", "retry", "--all", "--kind", "k@1") == {"retried": 3}
        assert len(await claim(pool, ["orders:execution"], 10, 60.0)) == 3


@pytest.mark.parametrize("verb", ["show", "retry", "drop"])
async def test_a_message_that_is_not_there_is_exit_code_3(bmn: Bmn, database: str, verb: str) -> None:
    await upgrade(database, LOCATIONS)
    code, _, said = await bmn("queue", "dead", verb, "7")
    assert code == 3
    assert said.startswith("NO_SUCH_MESSAGE")
    assert said.count("\n") == 1


@pytest.mark.parametrize("words", [[], ["7", "--all"], ["--queue", "orders:execution"], ["7", "--kind", "k@1"]])
@pytest.mark.parametrize("verb", ["retry", "drop"])
async def test_one_or_all_must_be_said(bmn: Bmn, verb: str, words: list[str]) -> None:
    code, _, said = await bmn("queue", "dead", verb, *words)
    assert code == 2
    assert said.startswith("USAGE")
