"""The feed of changes as server-sent events: `order.created`, `order.updated`, `secret.revealed`."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Annotated, Any, Final
from weakref import WeakSet

import msgspec
from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import HeaderParameter
from litestar.response import Stream

from bmn.api.ports import OpenFeed
from bmn.api.problems import problem
from bmn.core.errors import BadInput
from bmn.store.feed import Feed, OrderCreated, OrderEvent, OrderUpdated, SecretRevealed, name_of

_LOOK_SECONDS: Final = 1.0
_RETRY_MILLISECONDS: Final = 2000


class OrderCreatedBody(msgspec.Struct, frozen=True, tag="order.created", tag_field="event"):
    """An order was accepted."""

    order_hash: str
    hashlock: str
    at: str
    state: str
    reason: str
    actor: str


class OrderUpdatedBody(msgspec.Struct, frozen=True, tag="order.updated", tag_field="event"):
    """A swap has another state, or another reason for it."""

    order_hash: str
    hashlock: str
    at: str
    version: int
    before: str
    state: str
    reason: str
    actor: str


class SecretRevealedBody(msgspec.Struct, frozen=True, tag="secret.revealed", tag_field="event"):
    """The secret was handed to us (`chain` and `secret` are null), or a chain told it to everybody."""

    order_hash: str
    hashlock: str
    at: str
    chain: int | None
    secret: str | None


def build_event_routes(
    open_feed: OpenFeed, *, most_readers: int = 32, heartbeat: float = 15.0
) -> Sequence[HTTPRouteHandler]:
    """Return the route of the stream: open to `most_readers` at once, silent for at most `heartbeat` seconds."""
    readers: WeakSet[_Reader] = WeakSet()

    @get("/api/v1/events", media_type="text/event-stream")
    async def stream_events(
        request: Request[Any, Any, Any],
        last_event_id: Annotated[str | None, HeaderParameter(name="Last-Event-ID")] = None,
    ) -> Response[Any]:
        after = _parse_number(last_event_id)
        if after is not None:
            async with open_feed(after):
                pass  # refused here rather than within a stream that has begun
        # Nobody else comes in between the look and the place.
        if len(readers) >= most_readers:
            return problem(503, "TOO_MANY_READERS", "as many read the events as may", hint="try again later")
        reader = _Reader()
        readers.add(reader)
        state = request.app.state
        frames = _frames(open_feed(after), reader, readers, lambda: bool(state.get("stopping")), heartbeat)
        # Nothing between us and the reader may hold events back.
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return Stream(frames, media_type="text/event-stream", headers=headers)

    return [stream_events]


def encode_event(event: OrderEvent) -> bytes:
    """Return one frame: its number as `id`, its name as `event`, one line of JSON as `data`."""
    body = msgspec.json.encode(show_event(event))
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (event.number, name_of(event).encode(), body)


def show_event(event: OrderEvent) -> OrderCreatedBody | OrderUpdatedBody | SecretRevealedBody:
    """Return the JSON shape of an event."""
    order_hash, hashlock, at = str(event.order_hash), str(event.hashlock), event.at.isoformat()
    match event:
        case OrderCreated():
            return OrderCreatedBody(
                order_hash=order_hash,
                hashlock=hashlock,
                at=at,
                state=event.state.value,
                reason=event.reason,
                actor=event.actor,
            )
        case OrderUpdated():
            return OrderUpdatedBody(
                order_hash=order_hash,
                hashlock=hashlock,
                at=at,
                version=event.version,
                before=event.before.value,
                state=event.state.value,
                reason=event.reason,
                actor=event.actor,
            )
        case SecretRevealed():
            secret = None if event.secret is None else "0x" + event.secret.reveal().hex()
            return SecretRevealedBody(
                order_hash=order_hash, hashlock=hashlock, at=at, chain=event.chain_id, secret=secret
            )


class _Reader:
    """Holds a place among the readers for as long as he is referred to: a stream may never be begun."""


async def _frames(
    opening: AbstractAsyncContextManager[Feed],
    reader: _Reader,
    readers: WeakSet[_Reader],
    is_stopping: Callable[[], bool],
    heartbeat: float,
) -> AsyncIterator[bytes]:
    """Yield frames until the program stops. A client that reads slowly is read for slowly; nothing piles up."""
    try:
        async with opening as feed:
            # An id without data: a client that is cut off before its first event goes on from here, too.
            yield b"retry: %d\nid: %d\n\n" % (_RETRY_MILLISECONDS, feed.last)
            quiet = 0.0
            while True:
                events = await feed.read(_LOOK_SECONDS)
                quiet = 0.0 if events else quiet + _LOOK_SECONDS
                for event in events:
                    yield encode_event(event)
                if quiet >= heartbeat:
                    quiet = 0.0
                    yield b": still here\n\n"
                if is_stopping():
                    break
    finally:
        readers.discard(reader)


def _parse_number(text: str | None) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise BadInput("BAD_EVENT_ID", "Last-Event-ID must be the id of an event of this stream")
    return int(text)
