"""`bmn jobs`."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

from cyclopts import App, Parameter

from bmn.cli.running import COMMON, ROWS, Common, answer, columns, read_settings, run_command

if TYPE_CHECKING:
    from bmn.pg.pool import Connection
    from bmn.pg.runs import Run, Status

T = TypeVar("T")

JobName = Annotated[str, Parameter(help="As in the list.")]

app = App(name="jobs", help="Scheduled jobs.", help_epilogue="Example: bmn jobs --json")


@app.default
def list_(*, common: Common = COMMON) -> None:
    """List jobs: when they run, and how the last run ended."""
    from bmn.pg.runs import list_statuses

    found = _with_store(list_statuses, common)
    rows = [
        (
            status.registered.schedule.name,
            status.registered.words,
            "paused" if status.registered.paused else _moment(status.registered.next_at),
            None if status.last is None else _moment(status.last.started_at),
            None if status.last is None else _outcome(status.last),
            None if status.last is None else status.last.error,
        )
        for status in found
    ]
    head = ["name", "schedule", "next (UTC)", "last (UTC)", "result", "error"]
    answer([_document(status) for status in found], columns(head, rows, empty="no jobs; start: bmn run"), common)


@app.command(help_epilogue="Example: bmn jobs show state-sync --limit 5")
def show(
    name: JobName,
    /,
    *,
    limit: Annotated[int, Parameter(help="How many runs.", validator=ROWS)] = 20,
    common: Common = COMMON,
) -> None:
    """Show one job with its last runs."""
    from bmn.cli.documents import as_document
    from bmn.pg.runs import load_runs, load_status

    async def ask(conn: "Connection") -> "tuple[Status, list[Run]]":
        return await load_status(conn, name), await load_runs(conn, name, limit)

    status, runs = _with_store(ask, common)
    schedule = status.registered.schedule
    rows = [
        (
            _moment(run.tick),
            run.attempt,
            _outcome(run),
            None if run.seconds is None else f"{run.seconds:.3f} s",
            run.error,
            " ".join(f"{key}={value}" for key, value in (run.metrics or {}).items()),
        )
        for run in runs
    ]
    lines = [
        f"{schedule.name}: {status.registered.words}; missed ticks: {schedule.missed.value}",
        "paused" if status.registered.paused else f"next: {_moment(status.registered.next_at) or 'never'}",
        "",
        *columns(["tick (UTC)", "attempt", "result", "took", "error", "found"], rows, empty="it never ran"),
    ]
    document = {**_document(status), "runs": [{**_plain(as_document(run)), "seconds": run.seconds} for run in runs]}
    answer(document, lines, common)


@app.command(help_epilogue="Example: bmn jobs run health-check")
def run(name: JobName, /, *, common: Common = COMMON) -> None:
    """Run a job now, once, besides its schedule; also a paused one. A running `bmn run` with the role cron does it."""
    from bmn.pg.schedules import run_now

    tick = _with_store(lambda conn: run_now(conn, name), common)
    answer({"job": name, "tick": tick.isoformat()}, [f"{name} is on the queue; see: bmn jobs show {name}"], common)


@app.command(help_epilogue="Example: bmn jobs pause balance-monitor")
def pause(name: JobName, /, *, common: Common = COMMON) -> None:
    """Let a job not run until resumed, also over restarts."""
    from bmn.pg import schedules

    _with_store(lambda conn: schedules.pause(conn, name), common)
    answer({"paused": name}, [f"{name} is paused; undo: bmn jobs resume {name}"], common)


@app.command(help_epilogue="Example: bmn jobs resume balance-monitor")
def resume(name: JobName, /, *, common: Common = COMMON) -> None:
    """Let a paused job run again, from its next time on."""
    from bmn.pg import schedules

    _with_store(lambda conn: schedules.resume(conn, name), common)
    answer({"resumed": name}, [f"{name} runs again"], common)


def _document(status: "Status") -> dict[str, object]:
    from bmn.cli.documents import as_document

    registered, last = status.registered, status.last
    return {
        **_plain(as_document(registered.schedule)),
        "words": registered.words,
        "declared": registered.declared,
        "paused": registered.paused,
        "next_at": as_document(registered.next_at),
        "last": None if last is None else {**_plain(as_document(last)), "seconds": last.seconds},
    }


def _plain(document: object) -> dict[str, object]:
    assert isinstance(document, dict)
    return document


def _moment(value: object) -> str | None:
    from datetime import UTC, datetime

    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") if isinstance(value, datetime) else None


def _outcome(run: "Run") -> str:
    if run.success is None:
        return "running"
    return "ok" if run.success else str(run.code)


def _with_store(ask: "Callable[[Connection], Awaitable[T]]", common: Common) -> T:
    from bmn.app import open_store
    from bmn.pg.pool import transaction

    settings = read_settings(common)

    async def work() -> T:
        async with open_store(settings) as (_, pool), transaction(pool) as conn:
            return await ask(conn)

    return run_command(work(), common)
