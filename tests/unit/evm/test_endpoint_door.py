"""The door of an endpoint: how many requests are out at once, and how often."""

import asyncio

import pytest
from tests.support.hand_clock import HandClock, settle

from bmn.evm.budget import UNLIMITED, Budget
from bmn.evm.failures import RateLimited
from bmn.evm.vitals import Vitals
from bmn.evm.width import WIDTH_FIRST

WIDTH = int(WIDTH_FIRST)


class Door:
    """Requests that stay out until told to come back."""

    def __init__(self, budget: Budget = UNLIMITED) -> None:
        self.clock = HandClock()
        self.vitals = Vitals(self.clock, budget)
        self.out = 0
        self.tasks: list[asyncio.Task[None]] = []

    def send(self, count: int = 1, *, is_urgent: bool = False, calls: int = 1) -> None:
        for _ in range(count):
            self.tasks.append(asyncio.create_task(self._send(calls, is_urgent=is_urgent)))

    async def _send(self, calls: int, *, is_urgent: bool) -> None:
        await self.vitals.enter(calls, is_urgent=is_urgent)
        self.out += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.vitals.leave()

    async def end(self, place: int) -> None:
        self.tasks[place].cancel()
        await settle()


@pytest.fixture
async def door() -> Door:
    return Door()


async def test_as_many_as_the_width_go_out_and_the_next_waits_for_one_to_return(door: Door) -> None:
    door.send(WIDTH + 2)
    await settle()
    assert door.out == WIDTH
    await door.end(0)
    assert door.out == WIDTH + 1


async def test_an_urgent_one_never_waits(door: Door) -> None:
    door.send(WIDTH + 1)
    door.send(is_urgent=True)
    await settle()
    assert door.out == WIDTH + 1
    await door.end(0)
    assert door.out == WIDTH + 1, "the urgent one counts, so the first to return makes no room"
    await door.end(1)
    assert door.out == WIDTH + 2


async def test_one_that_gives_up_waiting_takes_no_place(door: Door) -> None:
    door.send(WIDTH + 2)
    await settle()
    await door.end(WIDTH)
    await door.end(0)
    assert door.out == WIDTH + 1


async def test_one_that_gives_up_as_its_turn_comes_hands_it_on(door: Door) -> None:
    door.send(WIDTH + 2)
    await settle()
    door.tasks[0].cancel()
    await asyncio.sleep(0)
    door.tasks[WIDTH].cancel()
    await settle()
    assert door.out == WIDTH + 1


async def test_answers_at_full_width_widen_the_door_and_a_rate_limit_halves_it(door: Door) -> None:
    door.send(WIDTH)
    await settle()
    for _ in range(2 * WIDTH):
        door.vitals.timed("eth_call", 0.01, calls=1)
    assert door.vitals.report("c", "e").width == WIDTH + 1
    door.vitals.ended(RateLimited("slow down", retry_after=1.0))
    assert door.vitals.report("c", "e").width == (WIDTH + 1) // 2


async def test_more_calls_than_the_budget_wait_for_their_second_and_an_urgent_one_does_not() -> None:
    door = Door(Budget(per_second=2.0))
    door.send(4)
    await settle()
    assert door.out == 2
    door.send(is_urgent=True)
    await settle()
    assert door.out == 3
    await door.clock.advance(0.5)
    assert door.out == 4
    await door.clock.advance(0.5)
    assert door.out == 5


async def test_one_that_gives_up_in_the_pause_leaves_its_place() -> None:
    door = Door(Budget(per_second=1.0))
    door.send(WIDTH)
    await settle()
    for place in range(WIDTH):
        await door.end(place)
    assert door.vitals.report("c", "e").in_flight == 0


async def test_calls_an_hour_are_those_of_the_last_sixty_minutes_each_of_a_batch_counted(door: Door) -> None:
    door.send(calls=5, is_urgent=True)
    await settle()
    await door.clock.advance(1800)
    door.send(2, is_urgent=True)
    await settle()
    assert door.vitals.report("c", "e").calls_hour == 7
    await door.clock.advance(1801)
    assert door.vitals.report("c", "e").calls_hour == 2
    await door.clock.advance(1800)
    assert door.vitals.report("c", "e").calls_hour == 0
