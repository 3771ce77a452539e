"""How long an answer is kept, and who shares it."""

import asyncio

import pytest
from tests.support.hand_clock import HandClock, settle

from bmn.api.graphql.kept import KEPT_SECONDS, LARGEST, Joined, KeptAnswers


class Source:
    """Makes numbered answers, each when it is let."""

    def __init__(self) -> None:
        self.made = 0
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def make(self) -> bytes:
        self.made += 1
        number = self.made
        await self.may_end.wait()
        return b"%d" % number


async def test_an_answer_is_kept_until_a_block_comes_or_goes() -> None:
    kept, source = KeptAnswers[str](HandClock()), Source()
    assert await kept.get("a", "one", source.make) == (b"1", False)
    assert await kept.get("a", "one", source.make) == (b"1", True)
    assert await kept.get("b", "one", source.make) == (b"2", False)
    assert await kept.get("a", "two", source.make) == (b"3", False)
    assert await kept.get("a", "two", source.make) == (b"3", True)


async def test_an_answer_is_not_kept_longer_than_its_time() -> None:
    clock = HandClock()
    kept, source = KeptAnswers[str](clock), Source()
    await kept.get("a", "one", source.make)
    await clock.advance(KEPT_SECONDS - 0.25)
    assert await kept.get("a", "one", source.make) == (b"1", True)
    await clock.advance(0.25)
    assert await kept.get("a", "one", source.make) == (b"2", False)


async def test_of_many_who_ask_at_once_one_makes_the_answer() -> None:
    kept, source = KeptAnswers[str](HandClock()), Source()
    answers = await asyncio.gather(*(kept.get("a", "one", source.make) for _ in range(20)))
    assert {body for body, _ in answers} == {b"1"}
    assert source.made == 1


async def test_who_gives_up_leaves_the_answer_to_the_next() -> None:
    kept, source = KeptAnswers[str](HandClock()), Source()
    source.may_end.clear()
    async with asyncio.TaskGroup() as group:
        first = group.create_task(kept.get("a", "one", source.make))
        second = group.create_task(kept.get("a", "one", source.make))
        await settle()
        first.cancel()
        source.may_end.set()
    assert second.result() == (b"2", False)


async def test_a_failure_is_not_kept() -> None:
    kept, source = KeptAnswers[str](HandClock()), Source()

    async def fail() -> bytes:
        raise OSError

    with pytest.raises(OSError):
        await kept.get("a", "one", fail)
    assert await kept.get("a", "one", source.make) == (b"1", False)


async def test_memory_is_bounded_and_the_answer_asked_for_last_stays() -> None:
    async def ten() -> bytes:
        return b"x" * 10

    kept = KeptAnswers[str](HandClock(), most_bytes=20)
    for key in ("a", "b", "a", "c"):
        await kept.get(key, "one", ten)
    assert await kept.get("a", "one", ten) == (b"x" * 10, True)
    assert await kept.get("b", "one", ten) == (b"x" * 10, False)


async def test_a_large_answer_is_not_kept() -> None:
    async def exactly() -> bytes:
        return b"x" * LARGEST

    async def larger() -> bytes:
        return b"x" * (LARGEST + 1)

    kept = KeptAnswers[str](HandClock())
    for make, is_kept in ((exactly, True), (larger, False)):
        for _ in range(2):
            _, was_kept = await kept.get(make.__name__, "one", make)
        assert was_kept is is_kept


async def test_who_comes_during_a_call_shares_the_next_one() -> None:
    source = Source()
    joined = Joined(source.make)
    source.may_end.clear()
    async with asyncio.TaskGroup() as group:
        first = group.create_task(joined.get())
        await settle()
        others = [group.create_task(joined.get()) for _ in range(5)]
        await settle()
        source.may_end.set()
    assert first.result() == b"1"
    assert [task.result() for task in others] == [b"2"] * 5
    assert await joined.get() == b"3"
