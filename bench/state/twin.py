"""The workloads W1 to W8 on our engine, in the order of the peer's bench; one JSON object a line on standard output.

python -m bench.state.twin FOLDER [--only W3,W4] [--scale 0.1] [--backlog 20000]
"""

import argparse
import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import uvloop

from bench.state.loops import closed_loops, latencies
from bench.state.orders import STEPS, decode_order, encode_order, make_order, order_id
from bench.state.rig import CONCURRENCY, Rig, new_home, open_rig, working
from bench.state.steps import LAST_STEP, Step, advance, create_order, found, key_of, step_of
from bmn.pg.kv import Commit, Set
from bmn.pg.queue import Claimed

WORKLOADS = ("W1", "W2", "W3", "W4", "W5", "W6", "W7", "W8")
_FIRST_OF_W3 = 1_000_000
_FIRST_OF_W5 = 2_000_000
_FIRST_OF_W6 = 5_000_000
_WATCHED = 9_000_001

Write = Callable[[str, dict[str, Any]], None]
"""Takes the name of a workload and what it gave."""

OnMessage = Callable[[Claimed, Step], Awaitable[None]]
"""Does what a message asks for and ends it."""


class Twin:
    """One run of the workloads. Holds what the queue's handler does at the moment."""

    def __init__(self, rig: Rig, write: Write, *, scale: float = 1.0, backlog: int | None = None) -> None:
        self._rig = rig
        self._kv = rig.kv
        self._write = write
        self._scale = scale
        self._backlog = backlog
        self._on_message: OnMessage | None = None
        self._worker = AsyncExitStack()

    async def run(self, only: frozenset[str]) -> None:
        """Run the workloads named, each after what it needs."""
        async with self._worker:
            for names, work in (
                ({"W1", "W2", "W7"}, self.fill),
                ({"W1"}, self.get),
                ({"W2"}, self.set),
                ({"W7"}, self.list_status),
                ({"W3", "W4"}, self.create),
                ({"W4"}, self.drain),
                ({"W5"}, self.deliver_one_at_a_time),
                ({"W5"}, self.deliver_open),
                ({"W6"}, self.live_alone),
                ({"W6"}, self.live_together),
                ({"W8"}, self.watch),
            ):
                if only & names:
                    await work()

    async def fill(self) -> None:
        """Store the data set: 10,000 orders, 100 in a commit."""
        count = self._count(10_000)
        for first in range(0, count, 100):
            orders = [make_order(number) for number in range(first, min(first + 100, count))]
            changes = tuple(Set(key=key_of(one["id"]), value=encode_order(one), tag=one["status"]) for one in orders)
            await self._kv.commit(Commit(changes=changes))

    async def get(self) -> None:
        """W1: read one order by id, at random, and decode it."""
        orders = self._count(10_000)

        async def read(_: int) -> None:
            entry = await self._kv.get(key_of(order_id(random.randrange(orders))))
            decode_order(found(entry).value)

        for callers, count in ((1, 10_000), (50, 20_000)):
            self._write("W1 get", await closed_loops(self._count(count), callers, read))

    async def set(self) -> None:
        """W2: overwrite one order."""
        orders = self._count(10_000)

        async def overwrite(number: int) -> None:
            order = make_order(number % orders)
            await self._kv.set(key_of(order["id"]), encode_order(order), tag=order["status"])

        for callers in (1, 50):
            self._write("W2 set", await closed_loops(self._count(3000), callers, overwrite))

    async def list_status(self) -> None:
        """W7: the first 100 orders of a status, with their values decoded."""

        async def page(_: int) -> None:
            entries = await self._kv.list_tagged(STEPS[0], limit=100)
            orders = [decode_order(entry.value) for entry in entries]
            assert len(orders) == min(100, self._count(10_000)), len(orders)

        for callers in (1, 50):
            self._write("W7 list100+values", await closed_loops(self._count(300), callers, page))

    async def create(self) -> None:
        """W3: store an order and its first message in one commit, nobody working."""
        count = self._count(2000)

        async def alone(number: int) -> None:
            await create_order(self._kv, _FIRST_OF_W3 + number)

        async def together(number: int) -> None:
            await create_order(self._kv, _FIRST_OF_W3 + count + number)

        self._write("W3 create+enqueue", await closed_loops(count, 1, alone))
        self._write("W3 create+enqueue", await closed_loops(count, 50, together))

    async def drain(self) -> None:
        """W4: work off what W3 left, filled up to the backlog asked for."""
        left = 2 * self._count(2000)
        backlog = self._backlog or left

        async def fill(number: int) -> None:
            await create_order(self._kv, _FIRST_OF_W3 + left + number)

        if backlog > left:
            await closed_loops(backlog - left, 50, fill)
        handled, finished = 0, asyncio.Event()

        async def handle(claimed: Claimed, step: Step) -> None:
            nonlocal handled
            await advance(self._kv, claimed, step)
            handled += 1
            if handled == backlog:
                finished.set()

        began = time.perf_counter()
        await self._have_handled(handle)
        await finished.wait()
        rate = round(backlog / (time.perf_counter() - began), 1)
        self._write("W4 drain backlog", {"n": backlog, "conc": CONCURRENCY, "ops_s": rate})

    async def deliver_one_at_a_time(self) -> None:
        """W5 (a): from just before the commit to the handler's first line, the next when the last was delivered."""
        taken: list[float] = []
        delivered = asyncio.Event()

        async def handle(claimed: Claimed, step: Step) -> None:
            taken.append(_since(step))
            delivered.set()
            await self._forget(claimed, step)

        await self._have_handled(handle)
        count, first = self._count(200), _FIRST_OF_W5
        for number in range(first, first + count):
            delivered.clear()
            await create_order(self._kv, number, timed=True)
            await delivered.wait()
        self._write("W5 enqueue->deliver one-at-a-time", {"n": count, **latencies(taken)})

    async def deliver_open(self) -> None:
        """W5 (b): the same, one order each 20 ms whatever came of the others."""
        taken: list[float] = []
        all_delivered = asyncio.Event()
        count = self._count(200)

        async def handle(claimed: Claimed, step: Step) -> None:
            taken.append(_since(step))
            if len(taken) == count:
                all_delivered.set()
            await self._forget(claimed, step)

        await self._have_handled(handle)
        first = _FIRST_OF_W5 + count
        async with asyncio.TaskGroup() as group:
            for number in range(first, first + count):
                group.create_task(create_order(self._kv, number, timed=True))
                await asyncio.sleep(0.02)
        await all_delivered.wait()
        self._write("W5 enqueue->deliver open-50/s", {"n": count, **latencies(taken)})

    async def live_alone(self) -> None:
        """W6: whole lives of orders, one after the other."""
        await self._live(1, self._count(50))

    async def live_together(self) -> None:
        """W6: whole lives of orders, 50 in flight."""
        await self._live(50, self._count(500))

    async def _live(self, callers: int, count: int) -> None:
        waiting: dict[str, asyncio.Event] = {}

        async def handle(claimed: Claimed, step: Step) -> None:
            await advance(self._kv, claimed, step)
            if step.step == LAST_STEP and step.id in waiting:  # not a redelivery
                waiting[step.id].set()

        async def live(number: int) -> None:
            order = order_id(_FIRST_OF_W6 * callers + number)
            lived = waiting[order] = asyncio.Event()
            await create_order(self._kv, _FIRST_OF_W6 * callers + number, chain=True)
            await lived.wait()
            del waiting[order]

        await self._have_handled(handle)
        self._write("W6 lifecycle (4 steps)", await closed_loops(count, callers, live))

    async def watch(self) -> None:
        """W8: from the write of a watched record to the watcher having it, one at a time."""
        order = make_order(_WATCHED)
        key = key_of(order["id"])
        await self._kv.set(key, encode_order(order))
        taken: list[float] = []
        count = self._count(200)
        async with self._kv.watch([key]) as changes:
            for version in range(1, count + 1):
                began = time.perf_counter()
                await self._kv.set(key, encode_order({**order, "version": version}))
                async for change in changes:
                    if change.entry is not None and decode_order(change.entry.value)["version"] == version:
                        break
                taken.append(time.perf_counter() - began)
                await asyncio.sleep(0.005)
        self._write("W8 watch (same process)", {"n": count, **latencies(taken)})

    def _count(self, full: int) -> int:
        return max(50, round(full * self._scale))

    async def _have_handled(self, on_message: OnMessage) -> None:
        """Hand messages to `on_message` from now on; the worker starts with the first call and then stays."""
        first = self._on_message is None
        self._on_message = on_message
        if first:
            await self._worker.enter_async_context(working(self._rig, self._handle))

    async def _handle(self, claimed: Claimed) -> None:
        assert self._on_message is not None
        await self._on_message(claimed, step_of(claimed))

    async def _forget(self, claimed: Claimed, _: Step) -> None:
        await self._kv.commit(Commit(finishes=(claimed,)))


def write_line(workload: str, result: dict[str, Any]) -> None:
    """Print one result as the peer does."""
    print(json.dumps({"engine": "bmn", "workload": workload, **result}), flush=True)


def workloads(names: str) -> frozenset[str]:
    """Parse `W3,W4`; none means all."""
    wanted = frozenset(name for name in names.split(",") if name)
    unknown = wanted - set(WORKLOADS)
    if unknown:
        raise argparse.ArgumentTypeError(f"no workload {', '.join(sorted(unknown))}")
    return wanted or frozenset(WORKLOADS)


@asynccontextmanager
async def open_twin(under: Path, write: Write, *, scale: float, backlog: int | None) -> AsyncIterator[tuple[Twin, Rig]]:
    """Yield the workloads on a new engine."""
    with new_home(under) as home:
        async with open_rig(home) as rig:
            yield Twin(rig, write, scale=scale, backlog=backlog), rig


def arguments(description: str | None) -> argparse.ArgumentParser:
    """Return the parser of what twin and profile have in common."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("folder", type=Path, help="where the data goes: a real disk")
    parser.add_argument("--only", type=workloads, default=workloads(""), metavar="W3,W4")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--backlog", type=int)
    return parser


def _since(step: Step) -> float:
    assert step.began is not None
    return time.perf_counter() - step.began


async def _main() -> None:
    given = arguments(__doc__).parse_args()
    async with open_twin(given.folder, write_line, scale=given.scale, backlog=given.backlog) as (twin, _):
        await twin.run(given.only)


if __name__ == "__main__":
    uvloop.run(_main())
