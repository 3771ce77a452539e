"""The order store that the old system had: one JSON file, rewritten for each change; kept as safe as ours is."""

import json
import os
from pathlib import Path
from typing import Any

from bench.state.orders import Order


class FileStore:
    """All orders in one file. A change is on the disk when it is answered, as with ours; one process only."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._orders: dict[str, Order] = json.loads(file.read_text()) if file.exists() else {}

    def get(self, order: str) -> Order | None:
        """Return the order with this id."""
        return self._orders.get(order)

    def put_all(self, orders: dict[str, Order]) -> None:
        """Store several orders by their ids."""
        self._orders.update(orders)
        replace_durably(self._file, self._orders)

    def put(self, order: Order) -> None:
        """Store one order."""
        self.put_all({order["id"]: order})


class FolderStore:
    """A file for each order, kinder than the old system: the best that files can do."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, order: str) -> Order | None:
        """Return the order with this id."""
        file = self._folder / f"{order}.json"
        found: Order | None = json.loads(file.read_text()) if file.exists() else None
        return found

    def put(self, order: Order) -> None:
        """Store one order."""
        replace_durably(self._folder / f"{order['id']}.json", order)


def replace_durably(file: Path, content: Any) -> None:
    """Write `content` beside `file`, sync it, and put it in place; a crash leaves the old or the new one."""
    beside = file.with_suffix(".new")
    with beside.open("w") as stream:
        stream.write(json.dumps(content, separators=(",", ":")))
        stream.flush()
        os.fsync(stream.fileno())
    beside.rename(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the name, too
    finally:
        os.close(folder)
