"""Server-sent events over the real database, on a real socket."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from litestar import Litestar
from tests.support.api_values import DST, SRC, SmallResolver
from tests.support.stored_swaps import SEALER, a_place, put_swap
from tests.support.swap_values import A_SECRET, TAKER

from bmn.api.event_routes import build_event_routes
from bmn.api.server import build_app, run_api
from bmn.core.swap import Decision, State
from bmn.core.units import Secret
from bmn.pg.pool import Pool, connection, transaction
from bmn.pg.wake import Wake
from bmn.seams import SystemClock
from bmn.store.feed import open_feed
from bmn.store.journal import EventKind, NewEvent, save_events
from bmn.store.secrets import save_secret
from bmn.store.swaps import load_swap, save_decision

HOST = "127.0.0.1"
Frame = dict[str, str]


@asynccontextmanager
async def serving(pool: Pool, **limits: Any) -> AsyncIterator[str]:
    """The whole interface; with `limits` only the stream."""
    with socket.create_server((HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
    wake, clock = Wake(), SystemClock()
    deps = replace(SmallResolver().deps, open_feed=lambda after: open_feed(pool, wake, clock, after=after))
    app = Litestar(build_event_routes(deps.open_feed, **limits)) if limits else build_app(deps)
    served = asyncio.create_task(run_api(app, HOST, port))
    try:
        yield f"http://{HOST}:{port}/api/v1/events"
    finally:
        served.cancel()
        async with asyncio.timeout(4):  # sooner than the server would cut a request off
            await asyncio.wait([served])


@asynccontextmanager
async def listening(url: str, last: str | None = None) -> AsyncIterator[AsyncIterator[Frame]]:
    headers = {} if last is None else {"Last-Event-ID": last}
    async with asyncio.timeout(30), aiohttp.ClientSession() as session:
        while True:
            try:
                answer = await session.get(url, headers=headers)
                break
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.01)
        async with answer:
            assert answer.status == 200
            assert answer.headers["content-type"].startswith("text/event-stream")
            yield frames(answer)


async def frames(answer: aiohttp.ClientResponse) -> AsyncIterator[Frame]:
    frame: Frame = {}
    async for line in answer.content:
        text = line.decode().rstrip("\n")
        if text:
            name, _, value = text.partition(": ")
            frame[name] = value
        else:
            yield frame
            frame = {}


async def change(pool: Pool, state: State, number: int = 1) -> None:
    async with transaction(pool) as conn:
        swap = await load_swap(conn, Secret(bytes([number]) * 32).hashlock)
        assert swap is not None
        await save_decision(conn, swap, Decision(state=state, actions=(), reason="TEST"), actor="test")


async def test_a_reader_from_now_on_gets_each_change_by_name(store: Pool) -> None:
    async with serving(store) as url, listening(url) as events:
        opening = await anext(events)
        terms = await put_swap(store, secret=Secret(b"\x01" * 32))
        await change(store, State.FILLING)
        created, updated = await anext(events), await anext(events)
    assert opening == {"retry": "2000", "id": "0"}
    assert [(frame["id"], frame["event"]) for frame in (created, updated)] == [
        ("1", "order.created"),
        ("2", "order.updated"),
    ]
    body = json.loads(updated["data"])
    del body["at"]
    assert body == {
        "event": "order.updated",
        "order_hash": str(terms.order_hash),
        "hashlock": str(terms.hashlock),
        "version": 2,
        "before": "ACCEPTED",
        "state": "FILLING",
        "reason": "TEST",
        "actor": "test",
    }


async def test_last_event_id_goes_on_where_the_reader_was_cut_off(store: Pool) -> None:
    await put_swap(store, secret=Secret(b"\x01" * 32))
    for state in (State.FILLING, State.SRC_LIVE, State.LOCKING):
        await change(store, state)
    async with serving(store) as url:
        async with listening(url, "0") as events:
            first = [await anext(events) for _ in range(3)]
        async with listening(url, first[-1]["id"]) as events:
            second = [await anext(events) for _ in range(3)]
    assert [frame["id"] for frame in first + second] == ["0", "1", "2", "2", "3", "4"]


async def test_the_value_of_a_secret_is_in_the_stream_only_when_it_is_public(store: Pool) -> None:
    await put_swap(store)
    telling = NewEvent(
        place=a_place(7),
        kind=EventKind.ESCROW_WITHDRAWAL,
        emitter=TAKER,
        is_foreign=False,
        hashlock=A_SECRET.hashlock,
        secret=A_SECRET,
    )
    async with serving(store) as url, listening(url, "1") as events:
        await anext(events)
        async with connection(store) as conn:
            await save_secret(conn, A_SECRET, SEALER)
        handed = json.loads((await anext(events))["data"])
        async with connection(store) as conn:
            await save_events(conn, DST, [telling])
            await save_events(conn, SRC, [telling])
        public = [json.loads((await anext(events))["data"]) for _ in range(2)]
    assert (handed["event"], handed["chain"], handed["secret"]) == ("secret.revealed", None, None)
    assert [body["chain"] for body in public] == [DST, SRC]
    assert {body["secret"] for body in public} == {"0x" + A_SECRET.reveal().hex()}


@pytest.mark.parametrize("last", ["x", "-1", "1.0", "9" * 19, "١", "1"])
async def test_an_id_that_is_none_is_refused(store: Pool, last: str) -> None:
    async with serving(store) as url:
        async with listening(url):
            pass
        async with aiohttp.ClientSession() as session:
            answer = await session.get(url, headers={"Last-Event-ID": last})
            assert (answer.status, (await answer.json())["code"]) == (400, "BAD_EVENT_ID")


async def test_readers_are_bounded_and_a_place_is_free_again_when_one_leaves(store: Pool) -> None:
    async with serving(store, most_readers=1) as url, aiohttp.ClientSession() as session:
        async with listening(url) as events:
            await anext(events)
            answer = await session.get(url)
            assert (answer.status, (await answer.json())["code"]) == (503, "TOO_MANY_READERS")
        async with asyncio.timeout(10):
            while True:
                answer = await session.get(url)
                answer.close()
                if answer.status == 200:
                    break


@pytest.mark.parametrize("last", [None, "0"])
async def test_no_more_than_may_get_in_when_all_come_at_once(store: Pool, last: str | None) -> None:
    headers = {} if last is None else {"Last-Event-ID": last}
    async with serving(store, most_readers=2) as url, aiohttp.ClientSession() as session:
        async with listening(url):
            pass
        answers = await asyncio.gather(*(session.get(url, headers=headers) for _ in range(12)))
        statuses = [answer.status for answer in answers]
        for answer in answers:
            answer.close()
    assert statuses.count(200) in {1, 2}  # the one before may not have left yet
    assert set(statuses) == {200, 503}


async def test_a_silent_stream_shows_that_it_lives(store: Pool) -> None:
    async with serving(store, heartbeat=1.0) as url, listening(url) as events:
        await anext(events)
        assert await anext(events) == {"": "still here"}


async def test_the_server_stops_in_time_while_somebody_reads(store: Pool) -> None:
    async with listening_while_stopping(store) as rest:
        assert [frame async for frame in rest] == []


@asynccontextmanager
async def listening_while_stopping(pool: Pool) -> AsyncIterator[AsyncIterator[Frame]]:
    server = serving(pool)
    url = await server.__aenter__()
    async with listening(url) as events:
        await anext(events)
        await server.__aexit__(None, None, None)
        yield events
