"""Laws of keys and values under random work: a model in memory agrees, and concurrent commits lose nothing."""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from bmn.pg.kv import Check, Commit, Delete, Kv, Set, open_kv
from bmn.pg.pool import Pool, connection, open_pool
from bmn.pg.queue import NewMessage
from bmn.pg.wake import Wake

KEYS = [f"key{number}" for number in range(6)]


@pytest.fixture
async def pool(engine_database: str) -> AsyncIterator[Pool]:
    async with open_pool(engine_database, size=12) as opened:
        yield opened


@pytest.mark.parametrize("seed", range(4))
async def test_a_model_in_memory_agrees_after_every_commit(pool: Pool, seed: int) -> None:
    rng = random.Random(seed)
    model: dict[str, tuple[int, bytes, str | None]] = {}
    seen: dict[str, int] = {}
    messages = 0
    async with open_kv(pool, Wake()) as one, open_kv(pool, Wake()) as other:
        for step in range(150):
            kv = rng.choice([one, other])
            touched = rng.sample(KEYS, rng.randint(1, 3))
            checks = tuple(
                Check(key=key, version=rng.choice([model[key][0] if key in model else None, seen.get(key), None]))
                for key in touched[: rng.randint(0, 3)]
            )
            changes = tuple(
                Delete(key=key) if rng.random() < 0.3 else Set(key=key, value=b"%d" % step, tag=rng.choice(["x", None]))
                for key in rng.sample(KEYS, rng.randint(0, 3))
            )
            puts = tuple(NewMessage(queue="q", kind="k@1", payload=b"") for _ in range(rng.randint(0, 2)))
            version = await kv.commit(Commit(checks=checks, changes=changes, messages=puts))
            allowed = all(check.version == (model[check.key][0] if check.key in model else None) for check in checks)
            assert (version is not None) == allowed
            if version is None:
                continue
            messages += len(puts)
            for change in changes:
                assert version > seen.get(change.key, 0)
                seen[change.key] = version
                if isinstance(change, Set):
                    model[change.key] = (version, change.value, change.tag)
                else:
                    model.pop(change.key, None)
            found = await kv.list_range()
            assert {entry.key: (entry.version, entry.value, entry.tag) for entry in found} == model
            tagged = await kv.list_tagged("x")
            assert [entry.key for entry in tagged] == sorted(key for key, held in model.items() if held[2] == "x")
    async with connection(pool) as conn:
        assert await conn.fetchval("SELECT count(*) FROM messages") == messages


async def move(kv: Kv, rng: random.Random) -> None:
    """Move one unit from one account to another, and say so in a message, once."""
    source, target = rng.sample(KEYS, 2)
    while True:
        accounts = await kv.get_many([source, target])
        if any(account is None for account in accounts):
            raise AssertionError("an account is missing")
        held = {account.key: account for account in accounts if account is not None}
        commit = Commit(
            checks=tuple(Check(key=key, version=account.version) for key, account in held.items()),
            changes=(
                Set(key=source, value=b"%d" % (int(held[source].value) - 1)),
                Set(key=target, value=b"%d" % (int(held[target].value) + 1)),
            ),
            messages=(NewMessage(queue="q", kind="moved@1", payload=b""),),
        )
        if await kv.commit(commit) is not None:
            return


async def test_concurrent_moves_between_accounts_keep_the_sum_and_each_is_told_once(pool: Pool) -> None:
    async with open_kv(pool, Wake()) as one, open_kv(pool, Wake()) as other:
        for key in KEYS:
            await one.set(key, b"100")
        rng = random.Random(1)
        await asyncio.gather(*(move(kv, rng) for kv in (one, other) for _ in range(40)))
        accounts = await one.list_range()
    assert sum(int(account.value) for account in accounts) == 100 * len(KEYS)
    async with connection(pool) as conn:
        assert await conn.fetchval("SELECT count(*) FROM messages") == 80
