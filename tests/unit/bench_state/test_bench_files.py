import json
from pathlib import Path

import pytest
from bench.state.engines import EngineFailed, run
from bench.state.files import FileStore, FolderStore
from bench.state.orders import make_order


def test_a_file_store_holds_every_order_after_each_change(tmp_path: Path) -> None:
    file = tmp_path / "orders.json"
    store = FileStore(file)
    store.put(make_order(1))
    store.put(make_order(2))
    assert list(json.loads(file.read_text())) == [make_order(1)["id"], make_order(2)["id"]]
    assert FileStore(file).get(make_order(2)["id"]) == make_order(2)


def test_a_folder_store_holds_an_order_in_each_file(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.put(make_order(1))
    assert FolderStore(tmp_path).get(make_order(1)["id"]) == make_order(1)
    assert store.get(make_order(2)["id"]) is None


def test_an_engine_that_does_not_start_or_ends_badly_is_a_failure() -> None:
    with pytest.raises(EngineFailed, match="the peer did not run"):
        run(["/no/such/program"], "the peer did not run")
    with pytest.raises(EngineFailed, match="exit status 1"):
        run(["/bin/false"], "the peer did not run")
