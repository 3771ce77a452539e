"""Row A12 of the mission: an order update beside the old system's JSON file, on the same disk."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from bench.report import Figure
from bench.state.files import FileStore, FolderStore
from bench.state.orders import Order, encode_order, make_order
from bench.state.rig import Rig
from bench.state.steps import key_of, moved_on

_ORDERS = (100, 1_000, 10_000)


async def measure_updates(rig: Rig, folder: Path, count: int) -> list[Figure]:
    """Update one order at a time, `count` times for each store."""
    ours = await _ours(rig, count)
    found = [Figure(name="order update, ours, p50 (A12)", unit="ms", value=ours * 1000)]
    with tempfile.TemporaryDirectory(prefix="bmn-bench-files-", dir=folder) as place:
        for orders in _ORDERS:
            store = FileStore(Path(place) / f"{orders}.json")
            store.put_all({order["id"]: order for order in map(make_order, range(orders))})
            files = _files(store.put, orders, min(count, 50))
            name = f"order update, one JSON file of {orders:,} orders"
            found.append(Figure(name=f"{name}, p50 (A12)", unit="ms", value=files * 1000))
            found.append(Figure(name=f"{name}: ours is faster (A12)", unit="times", value=files / ours))
        single = FolderStore(Path(place))
        files = _files(single.put, 1_000, count)
        name = "order update, a JSON file for each order"
        found.append(Figure(name=f"{name}, p50", unit="ms", value=files * 1000))
        found.append(Figure(name=f"{name}: ours is faster", unit="times", value=files / ours))
    return found


async def _ours(rig: Rig, count: int) -> float:
    taken = []
    for number in range(count):
        order = moved_on(make_order(number), 1)
        began = time.perf_counter()
        await rig.kv.set(key_of(order["id"]), encode_order(order), tag=order["status"])
        taken.append(time.perf_counter() - began)
    return median(taken)


def _files(put: Callable[[Order], None], orders: int, count: int) -> float:
    taken = []
    for number in range(count):
        order = moved_on(make_order(number % orders), 1)
        began = time.perf_counter()
        put(order)
        taken.append(time.perf_counter() - began)
    return median(taken)
