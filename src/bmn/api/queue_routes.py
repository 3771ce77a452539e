"""The operator's routes to the queues: how much waits, and the messages that were given up."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import msgspec
from litestar import delete, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import PathParameter, QueryParameter

from bmn.core.errors import BadInput, NotFound
from bmn.observe import api as observe
from bmn.pg.dead import DeadMessage, drop_all_dead, drop_dead, load_dead, retry_all_dead, retry_dead
from bmn.pg.depth import load_depth
from bmn.pg.pool import Pool, connection, transaction
from bmn.pg.wake import Wake

MessageId = Annotated[int, PathParameter(ge=1, le=2**63 - 1)]
Name = Annotated[str | None, QueryParameter(pattern=r"^[^\x00]*$")]
"""What PostgreSQL can hold as text."""


class QueueBody(msgspec.Struct, frozen=True, kw_only=True):
    """How much waits on one queue."""

    queue: str
    ready: int
    delayed: int
    leased: int
    dead: int
    oldest_seconds: float


class QueuesBody(msgspec.Struct, frozen=True, kw_only=True):
    """All queues, by name."""

    queues: list[QueueBody]


class DeadBody(msgspec.Struct, frozen=True, kw_only=True):
    """A message that was given up."""

    id: int
    queue: str
    kind: str
    key: str | None
    """0x-hex; the hashlock, for messages about a swap."""
    attempts: int
    code: str
    error: str
    trace: str | None
    created_at: datetime
    first_failed_at: datetime
    died_at: datetime


class DeadOneBody(DeadBody, frozen=True, kw_only=True):
    """The same with its content."""

    payload: str


class DeadListBody(msgspec.Struct, frozen=True, kw_only=True):
    """The latest first."""

    messages: list[DeadBody]


class RetriedBody(msgspec.Struct, frozen=True, kw_only=True):
    """How many are on their queues again."""

    retried: int


class DroppedBody(msgspec.Struct, frozen=True, kw_only=True):
    """How many are deleted."""

    dropped: int


def build_queue_routes(pool: Pool, queues: Sequence[str], wake: Wake) -> Sequence[HTTPRouteHandler]:
    """Return the routes over the database; `queues` are shown even when they are empty."""
    return [*_reading_routes(pool, queues), *_changing_routes(pool, wake)]


def _reading_routes(pool: Pool, queues: Sequence[str]) -> Sequence[HTTPRouteHandler]:
    @get("/api/v1/admin/queues")
    async def list_queues() -> QueuesBody:
        async with connection(pool) as conn:
            found = await load_depth(conn, queues)
        return QueuesBody(
            queues=[
                QueueBody(
                    queue=one.queue,
                    ready=one.ready,
                    delayed=one.delayed,
                    leased=one.leased,
                    dead=one.dead,
                    oldest_seconds=one.oldest_seconds,
                )
                for one in found
            ]
        )

    @get("/api/v1/admin/dead")
    async def list_dead(
        queue: Name = None,
        kind: Name = None,
        limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
    ) -> DeadListBody:
        async with connection(pool) as conn:
            found = await load_dead(conn, queue=queue, kind=kind, limit=limit)
        return DeadListBody(messages=[_show(one) for one in found])

    @get("/api/v1/admin/dead/{message_id:int}")
    async def show_dead(message_id: MessageId) -> DeadOneBody:
        async with connection(pool) as conn:
            found = await load_dead(conn, message_id)
        if not found:
            raise NotFound("NO_SUCH_MESSAGE", f"no dead message {message_id}")
        [one] = found
        return DeadOneBody(**msgspec.structs.asdict(_show(one)), payload=one.payload.decode(errors="replace"))

    return [list_queues, list_dead, show_dead]


def _changing_routes(pool: Pool, wake: Wake) -> Sequence[HTTPRouteHandler]:
    @post("/api/v1/admin/dead/{message_id:int}/retry", status_code=200)
    async def retry_one(message_id: MessageId) -> RetriedBody:
        async with transaction(pool) as conn:
            await retry_dead(conn, message_id)
        wake.signal()
        observe.operator_acted("retry dead", 1)
        return RetriedBody(retried=1)

    @post("/api/v1/admin/dead/retry", status_code=200)
    async def retry_all(
        queue: Name = None,
        kind: Name = None,
        every: Annotated[bool, QueryParameter(name="all")] = False,  # noqa: FBT002 - the framework passes it by name
    ) -> RetriedBody:
        _check_choice(queue, kind, every=every)
        async with transaction(pool) as conn:
            count = await retry_all_dead(conn, queue=queue, kind=kind)
        wake.signal()
        observe.operator_acted("retry dead", count)
        return RetriedBody(retried=count)

    @delete("/api/v1/admin/dead/{message_id:int}", status_code=200)
    async def drop_one(message_id: MessageId) -> DroppedBody:
        async with transaction(pool) as conn:
            await drop_dead(conn, message_id)
        observe.operator_acted("drop dead", 1)
        return DroppedBody(dropped=1)

    @delete("/api/v1/admin/dead", status_code=200)
    async def drop_all(
        queue: Name = None,
        kind: Name = None,
        every: Annotated[bool, QueryParameter(name="all")] = False,  # noqa: FBT002 - same
    ) -> DroppedBody:
        _check_choice(queue, kind, every=every)
        async with transaction(pool) as conn:
            count = await drop_all_dead(conn, queue=queue, kind=kind)
        observe.operator_acted("drop dead", count)
        return DroppedBody(dropped=count)

    return [retry_one, retry_all, drop_one, drop_all]


def _check_choice(queue: str | None, kind: str | None, *, every: bool) -> None:
    if queue is None and kind is None and not every:
        raise BadInput(
            "NOTHING_NAMED", "this would take every dead message", hint="name queue or kind, or say all=true"
        )


def _show(message: DeadMessage) -> DeadBody:
    return DeadBody(
        id=message.id,
        queue=message.queue,
        kind=message.kind,
        key=None if message.key is None else "0x" + message.key.hex(),
        attempts=message.attempts,
        code=message.code,
        error=message.error,
        trace=message.trace,
        created_at=message.created_at,
        first_failed_at=message.first_failed_at,
        died_at=message.died_at,
    )
