"""`bmn queue`."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

from cyclopts import App, Parameter

from bmn.cli.running import COMMON, Common, answer, columns, read_settings, run_command

if TYPE_CHECKING:
    from bmn.pg.pool import Connection

T = TypeVar("T")

MessageId = Annotated[int, Parameter(help="Its number in the list.")]

app = App(name="queue", help="Messages between the parts.")
dead = App(name="dead", help="Messages that were given up.")
app.command(dead)


@app.command(help_epilogue="Example: bmn queue depth --json")
def depth(*, common: Common = COMMON) -> None:
    """Show how much waits on each queue."""
    from bmn.cli.documents import as_document
    from bmn.pg.dead import load_depth

    found = _with_store(load_depth, common)
    rows = [(one.queue, one.ready, one.delayed, one.leased, f"{one.oldest_seconds:.1f} s") for one in found]
    answer(
        as_document(found),
        columns(["queue", "ready", "delayed", "leased", "oldest"], rows, empty="all queues are empty"),
        common,
    )


@dead.command(name="list", help_epilogue="Example: bmn queue dead list")
def list_(*, common: Common = COMMON) -> None:
    """List messages that were given up, newest first."""
    from bmn.cli.documents import as_document
    from bmn.pg.dead import load_dead

    found = _with_store(load_dead, common)
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
    lines = [
        f"{one.kind} on {one.queue}, {one.attempts} attempts, died {one.died_at}",
        one.error,
        one.payload.decode(errors="replace"),
    ]
    answer(as_document(one), lines, common)


@dead.command(help_epilogue="Example: bmn queue dead retry 17")
def retry(message_id: MessageId, /, *, common: Common = COMMON) -> None:
    """Put a dead message back on its queue."""
    from bmn.pg.dead import retry_dead

    _with_store(lambda conn: retry_dead(conn, message_id), common)
    answer({"retried": message_id}, [f"message {message_id} is on its queue again"], common)


@dead.command(help_epilogue="Example: bmn queue dead drop 17")
def drop(message_id: MessageId, /, *, common: Common = COMMON) -> None:
    """Delete a dead message for good."""
    from bmn.pg.dead import drop_dead

    _with_store(lambda conn: drop_dead(conn, message_id), common)
    answer({"dropped": message_id}, [f"message {message_id} is deleted"], common)


def _with_store(ask: "Callable[[Connection], Awaitable[T]]", common: Common) -> T:
    from bmn.app import open_store
    from bmn.pg.pool import transaction

    settings = read_settings(common)

    async def work() -> T:
        async with open_store(settings) as (_, pool), transaction(pool) as conn:
            return await ask(conn)

    return run_command(work(), common)
