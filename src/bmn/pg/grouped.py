"""Joins calls that wait at the same time into one round trip.

A call that finds the connection free goes at once and alone; calls that come while it is busy wait, and then go
together. So nobody waits for company, and the busier it gets the cheaper each call becomes.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

import asyncpg

from bmn.pg.beside import running
from bmn.pg.errors import translated
from bmn.pg.pinned import Fetches, open_pinned
from bmn.pg.pool import Pool

Ask = TypeVar("Ask")
Answer = TypeVar("Answer")


class Grouped(Generic[Ask, Answer]):
    """Answers asks, many at once; made by `open_grouped`."""

    def __init__(
        self,
        pinned: Fetches,
        answer_all: Callable[[Fetches, Sequence[Ask]], Awaitable[Sequence[Answer]]],
        touches: Callable[[Ask], frozenset[str]],
        largest: int,
    ) -> None:
        self._pinned = pinned
        self._answer_all = answer_all
        self._touches = touches
        self._largest = largest
        self._waiting: deque[tuple[Ask, asyncio.Future[Answer]]] = deque()
        self._busy = False
        self._handed_over = asyncio.Event()

    async def __call__(self, ask: Ask) -> Answer:
        """Return the answer to `ask`.

        Raises:
            TransientError: as `connection`; what was asked may or may not have been done.
        """
        if self._busy:
            future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
            self._waiting.append((ask, future))
            return await future
        self._busy = True
        try:
            [answer] = await self._run([ask])
        finally:
            if self._waiting:
                self._handed_over.set()
            else:
                self._busy = False
        return answer

    async def answer_those_who_wait(self) -> None:
        """Work until cancelled; who still waits then is cancelled, too."""
        batch: list[tuple[Ask, asyncio.Future[Answer]]] = []
        try:
            while True:
                await self._handed_over.wait()
                self._handed_over.clear()
                while batch := self._next_batch():
                    await self._answer_batch(batch)
                self._busy = False
        finally:
            for _, future in (*batch, *self._waiting):
                future.cancel()

    def _next_batch(self) -> "list[tuple[Ask, asyncio.Future[Answer]]]":
        """Take those that have waited longest and do not touch the same things."""
        batch: list[tuple[Ask, asyncio.Future[Answer]]] = []
        left: list[tuple[Ask, asyncio.Future[Answer]]] = []
        touched: set[str] = set()
        while self._waiting and len(batch) < self._largest:
            item = self._waiting.popleft()
            if item[1].done():  # its caller gave up
                continue
            touches = self._touches(item[0])
            # A later one must not overtake an earlier one that has to wait, so what that touches is taken too.
            (left if touched & touches else batch).append(item)
            touched |= touches
        self._waiting.extendleft(reversed(left))
        return batch

    async def _answer_batch(self, batch: "list[tuple[Ask, asyncio.Future[Answer]]]") -> None:
        try:
            answers = await self._run([ask for ask, _ in batch])
        except asyncpg.PostgresError:
            # One of them is at fault, and nothing stands: each for itself tells which.
            for ask, future in batch:
                await self._answer_one(ask, future)
        except Exception as error:  # noqa: BLE001 - it belongs to those who asked
            for _, future in batch:
                _fail(future, error)
        else:
            for (_, future), answer in zip(batch, answers, strict=True):
                _succeed(future, answer)

    async def _answer_one(self, ask: Ask, future: "asyncio.Future[Answer]") -> None:
        try:
            [answer] = await self._run([ask])
        except Exception as error:  # noqa: BLE001 - it belongs to the one who asked
            _fail(future, error)
        else:
            _succeed(future, answer)

    async def _run(self, asks: Sequence[Ask]) -> Sequence[Answer]:
        with translated():
            return await self._answer_all(self._pinned, asks)


@asynccontextmanager
async def open_grouped(
    pool: Pool,
    answer_all: Callable[[Fetches, Sequence[Ask]], Awaitable[Sequence[Answer]]],
    *,
    touches: Callable[[Ask], frozenset[str]] = lambda _: frozenset(),
    largest: int = 64,
) -> AsyncIterator[Grouped[Ask, Answer]]:
    """Yield a function that answers asks by `answer_all`, at most `largest` in one call of it.

    `answer_all` must do all or nothing when it raises. Asks that touch the same thing are never in one call, and keep
    their order. Takes a connection of the pool for itself.
    """
    async with open_pinned(pool) as pinned:
        grouped = Grouped(pinned, answer_all, touches, largest)
        async with running(grouped.answer_those_who_wait()):
            yield grouped


def _succeed(future: "asyncio.Future[Answer]", answer: Answer) -> None:
    if not future.done():
        future.set_result(answer)


def _fail(future: "asyncio.Future[Answer]", error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
