"""`bmn queue`."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

from cyclopts import App, Parameter

from bmn.cli.running import COMMON, ROW_NUMBER, Common, answer, columns, read_settings, run_command

if TYPE_CHECKING:
    from bmn.pg.pool import Connection

T = TypeVar("T")

MessageId = Annotated[int, Parameter(help="Its number in the list.", validator=ROW_NUMBER)]
SomeId = Annotated[int | None, Parameter(help="Its number in the list; or --all.", validator=ROW_NUMBER)]
All = Annotated[bool, Parameter(name="--all", negative="", help="Every one, of --queue and --kind where given.")]
Queue = Annotated[str | None, Parameter(help="Only of this queue.")]
Kind = Annotated[str | None, Parameter(help="Only of this kind, as new_order@1.")]

app = App(name="queue", help="Messages between the parts.")
dead = App(name="dead", help="Messages that were given up.")
app.command(dead)


@app.command(help_epilogue="Example: bmn queue depth --json")
def depth(*, common: Common = COMMON) -> None:
    """Show how much waits on each queue."""
    from bmn.cli.documents import as_document
    from bmn.messages import QUEUES
    from bmn.pg.depth import load_depth

    found = _with_store(lambda conn: load_depth(conn, QUEUES), common)
    rows = [(one.queue, one.ready, one.delayed, one.leased, one.dead, f"{one.oldest_seconds:.1f} s") for one in found]
    head = ["queue", "ready", "delayed", "leased", "dead", "oldest"]
    answer(as_document(found), columns(head, rows, empty="all queues are empty"), common)


@dead.command(name="list", help_epilogue="Example: bmn queue dead list --queue orders:execution")
def list_(*, queue: Queue = None, kind: Kind = None, common: Common = COMMON) -> None:
    """List messages that were given up, newest first."""
    from bmn.cli.documents import as_document
    from bmn.pg.dead import load_dead

    found = _with_store(lambda conn: load_dead(conn, queue=queue, kind=kind), common)
    rows = [(one.id, one.queue, one.kind, one.attempts, one.died_at, one.error) for one in found]
    head = ["id", "queue", "kind", "attempts", "died", "error"]
    answer(as_document(found), columns(head, rows, empty="no dead messages"), common)


@dead.command(help_epilogue="Example: bmn queue dead show 17")
def show(message_id: MessageId, /, *, common: Common = COMMON) -> None:
    """Show one dead message, with what broke it."""
    from bmn.cli.documents import as_document
    from bmn.core.errors import NotFound
    from bmn.pg.dead import load_dead

    found = _with_store(lambda conn: load_dead(conn, message_id), common)
    if not found:
        raise NotFound("NO_SUCH_MESSAGE", f"no dead message {message_id}", hint="see: bmn queue dead list")
    [one] = found
    payload = one.payload.decode(errors="replace")
    lines = [
        f"{one.kind} on {one.queue}, from {one.trace or 'nowhere known'}",
        f"{one.attempts} attempts; put {one.created_at}, failed first {one.first_failed_at}, last {one.died_at}",
        one.error,
        payload,
    ]
    document = as_document(one)
    assert isinstance(document, dict)
    answer(document | {"payload": payload}, lines, common)


@dead.command(help_epilogue="Example: bmn queue dead retry 17")
def retry(
    message_id: SomeId = None,
    /,
    *,
    all_: All = False,
    queue: Queue = None,
    kind: Kind = None,
    common: Common = COMMON,
) -> None:
    """Put a dead message, or all of them, back on its queue."""
    from bmn.pg.dead import retry_all_dead, retry_dead

    _check_choice(message_id, all_=all_, narrowed=queue is not None or kind is not None)
    if message_id is None:
        count = _with_store(lambda conn: retry_all_dead(conn, queue=queue, kind=kind), common)
        answer({"retried": count}, [f"messages on their queues again: {count}"], common)
        return
    _with_store(lambda conn: retry_dead(conn, message_id), common)
    answer({"retried": 1}, [f"message {message_id} is on its queue again"], common)


@dead.command(help_epilogue="Example: bmn queue dead drop 17")
def drop(
    message_id: SomeId = None,
    /,
    *,
    all_: All = False,
    queue: Queue = None,
    kind: Kind = None,
    common: Common = COMMON,
) -> None:
    """Delete a dead message, or all of them, for good."""
    from bmn.pg.dead import drop_all_dead, drop_dead

    _check_choice(message_id, all_=all_, narrowed=queue is not None or kind is not None)
    if message_id is None:
        count = _with_store(lambda conn: drop_all_dead(conn, queue=queue, kind=kind), common)
        answer({"dropped": count}, [f"messages deleted: {count}"], common)
        return
    _with_store(lambda conn: drop_dead(conn, message_id), common)
    answer({"dropped": 1}, [f"message {message_id} is deleted"], common)


def _check_choice(message_id: int | None, *, all_: bool, narrowed: bool) -> None:
    from bmn.core.errors import BadInput

    if (message_id is None) != all_ or (narrowed and not all_):
        raise BadInput("USAGE", "name one message, or all of them with --all (and --queue, --kind)")


def _with_store(ask: "Callable[[Connection], Awaitable[T]]", common: Common) -> T:
    from bmn.app import open_store
    from bmn.pg.pool import transaction

    settings = read_settings(common)

    async def work() -> T:
        async with open_store(settings) as (_, pool), transaction(pool) as conn:
            return await ask(conn)

    return run_command(work(), common)
