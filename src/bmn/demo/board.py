"""Live progress of the stories on standard error: a table on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.live import Live
from rich.table import Table


@dataclass(slots=True)
class _Row:
    title: str
    state: str = "waiting"
    notes: list[str] = field(default_factory=list)


class Board:
    """One row for each story."""

    def __init__(self, titles: list[str]) -> None:
        self._console = Console(file=sys.stderr)
        self._rows = [_Row(title) for title in titles]
        self._started = time.monotonic()
        self._live: Live | None = None

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Draw until the block ends; on no terminal, lines are printed instead."""
        if not self._console.is_terminal:
            yield
            return
        with Live(self._table(), console=self._console, refresh_per_second=8) as live:
            self._live = live
            try:
                yield
            finally:
                live.update(self._table())
                self._live = None

    def say(self, text: str) -> None:
        """Tell something about the whole."""
        self._console.print(f"{self.seconds:6.1f} s  {text}", highlight=False, soft_wrap=True)

    def note(self, story: int, state: str, text: str) -> None:
        """A story moved on."""
        row = self._rows[story]
        row.state = state
        row.notes.append(f"{self.seconds:5.1f} s  {text}")
        if self._live is None:
            self._console.print(f"{self.seconds:6.1f} s  {row.title}: {text}", highlight=False, soft_wrap=True)
        else:
            self._live.update(self._table())

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._started

    def _table(self) -> Table:
        table = Table(expand=True, show_lines=True)
        for row in self._rows:
            table.add_column(row.title, ratio=1)
        table.add_row(*(row.state for row in self._rows))
        table.add_row(*("\n".join(row.notes) for row in self._rows))
        return table
