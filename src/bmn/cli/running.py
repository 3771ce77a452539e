"""What every command shares: its common options, its settings, its event loop, and how it answers."""

import asyncio
import json
import signal
import sys
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

from cyclopts import Parameter
from cyclopts.validators import Number

if TYPE_CHECKING:
    from bmn.config.settings import Settings

T = TypeVar("T")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Common:
    """Options of every command."""

    config: Annotated[Path | None, Parameter(help="Settings file; else BMN_CONFIG, else ./bmn.toml.")] = None
    json: Annotated[bool, Parameter(negative="", help="Print one JSON document on standard output.")] = False
    debug: Annotated[bool, Parameter(negative="", help="Show log lines, and the whole story of a failure.")] = False


COMMON: Final = Common()
ROWS: Final = Number(gte=1, lte=10_000)
"""Takes how many rows are shown."""
ROW_NUMBER: Final = Number(gte=0, lte=2**63 - 1)
"""Takes what the database numbers rows with."""
_TERMINATED: Final = 143


def read_settings(common: Common) -> "Settings":
    """Return the settings.

    Raises:
        NotFound, ConfigError: as `load_settings`.
    """
    from bmn.config.load import load_settings

    return load_settings(common.config)


def run_command(
    work: Coroutine[Any, Any, T], common: Common, *, log_level: str = "error", terminated: int = _TERMINATED
) -> T:
    """Run `work` to its end; log lines of at least `log_level` go to standard error.

    SIGTERM cancels it, so that it cleans up, and exits with `terminated`.
    """
    from bmn.observe.logs import configure_logs

    configure_logs(level="debug" if common.debug else log_level, as_json=common.json)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_stoppable(work, terminated))


async def _stoppable(work: Coroutine[Any, Any, T], terminated: int) -> T:
    this, is_terminated = asyncio.current_task(), asyncio.Event()
    assert this is not None

    def stop() -> None:
        is_terminated.set()
        this.cancel()

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
    try:
        return await work
    except asyncio.CancelledError:
        if is_terminated.is_set():
            sys.exit(terminated)
        raise


def answer(document: object, lines: Iterable[str], common: Common) -> None:
    """Print `document` as JSON, or `lines` for people, on standard output."""
    if common.json:
        print(json.dumps(document, default=str), flush=True)  # noqa: T201 - answering is what a command does
        return
    for line in lines:
        print(printable(line), flush=True)  # noqa: T201 - same; flushed, since some commands go on running


def printable(text: str) -> str:
    """Return `text` on one line, without what would move a terminal: a message or a contract may say anything."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)


def remark(text: str) -> None:
    """Tell a person something that is not the answer, on standard error."""
    print(text, file=sys.stderr)  # noqa: T201 - same


def columns(head: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str) -> list[str]:
    """Return a table with aligned columns, or `empty` when there are no rows."""
    if not rows:
        return [empty]
    texts = [[*head], *([("-" if cell is None else str(cell)) for cell in row] for row in rows)]
    widths = [max(len(row[at]) for row in texts) for at in range(len(head))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in texts]


def _loop_factory() -> Any:
    try:
        import uvloop
    except ImportError:  # not on every platform
        return None
    return uvloop.new_event_loop
