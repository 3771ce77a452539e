"""W5, W6 and W8 with the second half in another process, which the peer cannot do.

Here orders are written; the other process works or watches, and says on its standard output what it has done:

    python -m bench.state.across ADDRESS work|watch
"""

import asyncio
import json
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvloop

from bench.report import Figure
from bench.state.engines import ROOT
from bench.state.loops import closed_loops, latencies
from bench.state.orders import decode_order, encode_order, make_order, order_id
from bench.state.rig import Rig, join_rig, working
from bench.state.steps import LAST_STEP, advance, create_order, key_of, step_of
from bmn.pg.entries import Change
from bmn.pg.kv import Commit
from bmn.pg.queue import Claimed

_FIRST_OF_W5 = 8_000_000
_FIRST_OF_W6 = 8_500_000
_WATCHED = 9_000_002


async def measure_delivery(rig: Rig, count: int) -> list[Figure]:
    """W5, one at a time: from just before the commit here to the handler's first line there."""
    taken: list[float] = []
    async with _other(rig, "work") as lines:
        for number in range(count):
            await create_order(rig.kv, _FIRST_OF_W5 + number, timed=True)
            taken.append(json.loads(await anext(lines))["seconds"])
    return _tails("enqueue to handler, one at a time (W5)", taken)


async def measure_lives(rig: Rig, count: int) -> list[Figure]:
    """W6: orders begun here, 50 in flight, and lived there."""
    waiting: dict[str, asyncio.Event] = {}

    async def live(number: int) -> None:
        order = order_id(_FIRST_OF_W6 + number)
        lived = waiting[order] = asyncio.Event()
        await create_order(rig.kv, _FIRST_OF_W6 + number, chain=True)
        await lived.wait()
        del waiting[order]

    async def hear(lines: AsyncIterator[bytes]) -> None:
        async for line in lines:
            waiting[json.loads(line)["id"]].set()

    async with _other(rig, "work") as lines:
        hearing = asyncio.create_task(hear(lines))
        taken = await closed_loops(count, 50, live)
        hearing.cancel()
    return [Figure(name="whole order across two processes (W6, 50 in flight)", unit="orders/s", value=taken["ops_s"])]


async def measure_watch(rig: Rig, count: int) -> list[Figure]:
    """W8: from the write here to the watcher having it there."""
    order = make_order(_WATCHED)
    await rig.kv.set(key_of(order["id"]), encode_order(order))
    taken: list[float] = []
    async with _other(rig, "watch") as lines:
        for version in range(1, count + 1):
            changed = {**order, "version": version, "began": time.perf_counter()}
            await rig.kv.set(key_of(order["id"]), encode_order(changed))
            taken.append(json.loads(await anext(lines))["seconds"])
            await asyncio.sleep(0.005)
    return _tails("write to watcher (W8)", taken)


def _tails(name: str, taken: list[float]) -> list[Figure]:
    found = latencies(taken)
    return [
        Figure(name=f"{name}, across two processes, {tail}", unit="ms", value=found[f"{tail}_ms"])
        for tail in ("p50", "p99")
    ]


@asynccontextmanager
async def _other(rig: Rig, role: str) -> AsyncIterator[AsyncIterator[bytes]]:
    """Start the other process; yield its lines once it is ready."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.state.across", rig.dsn, role, cwd=ROOT, stdin=PIPE, stdout=PIPE
    )
    try:
        lines = _lines(process)
        assert await anext(lines) == b"ready\n"
        yield lines
    finally:
        assert process.stdin is not None
        process.stdin.close()  # the other process takes it for the end
        await process.wait()


async def _lines(process: Process) -> AsyncIterator[bytes]:
    assert process.stdout is not None
    while line := await process.stdout.readline():
        yield line


async def _work(rig: Rig) -> None:
    """Say when a timed message came, and which order has lived."""

    async def handle(claimed: Claimed) -> None:
        step = step_of(claimed)
        if step.began is not None:
            # perf_counter is the machine's monotonic clock, the same for both processes.
            _say({"seconds": time.perf_counter() - step.began})
            await rig.kv.commit(Commit(finishes=(claimed,)))
            return
        await advance(rig.kv, claimed, step)
        if step.step == LAST_STEP:
            _say({"id": step.id})

    async with working(rig, handle):
        await _until_told()


async def _watch(rig: Rig) -> None:
    """Say how long each write took to come here."""
    async with rig.kv.watch([key_of(order_id(_WATCHED))]) as changes:
        first = await anext(changes)
        assert first.entry is not None
        hearing = asyncio.create_task(_hear(changes))
        await _until_told()
        hearing.cancel()


async def _hear(changes: AsyncIterator[Change]) -> None:
    async for change in changes:
        assert change.entry is not None
        _say({"seconds": time.perf_counter() - decode_order(change.entry.value)["began"]})


async def _until_told() -> None:
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)


def _say(what: dict[str, object]) -> None:
    print(json.dumps(what), flush=True)


async def _main() -> None:
    dsn, role = sys.argv[1:]
    async with join_rig(dsn) as rig:
        await (_watch(rig) if role == "watch" else _work(rig))


if __name__ == "__main__":
    uvloop.run(_main())
