"""Rules of the house that no linter knows."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.house.source import ROOT, committed, name_of

PYTHON = committed(".py")
SOURCE = [file for file in PYTHON if name_of(file).startswith("src/")]
_BAD_ENDINGS = ("Manager", "Helper", "Util", "Utils", "Service", "Handler")
_SQL = re.compile(
    r"^\s*(SELECT\s|INSERT\s+INTO\s|UPDATE\s+\w+\s+SET\s|DELETE\s+FROM\s|WITH\s+\w+\s+AS\s|LISTEN\s)", re.MULTILINE
)
_SQL_HOMES = ("src/bmn/store/", "src/bmn/pg/")
_UNFINISHED = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" * 3)) + r")\b")


def trees(files: list[Path]) -> Iterator[tuple[str, ast.Module]]:
    for file in files:
        yield name_of(file), ast.parse(file.read_text(encoding="utf-8"))


def test_no_file_is_longer_than_600_lines() -> None:
    files = committed(".py", ".sol", ".mjs")
    long = {name_of(file): lines for file in files if (lines := file.read_text(encoding="utf-8").count("\n")) > 600}
    assert not long


def test_nothing_is_left_for_later() -> None:
    found = [
        f"{name_of(file)}:{number}"
        for file in committed(".py", ".sol", ".mjs", ".md", ".toml")
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if _UNFINISHED.search(line)
    ]
    assert not found


def test_no_class_is_named_for_a_role_that_says_nothing() -> None:
    found = [
        f"{name}: {node.name}"
        for name, tree in trees(SOURCE)
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and node.name.endswith(_BAD_ENDINGS)
    ]
    assert not found


def test_tasks_are_made_by_task_groups_only() -> None:
    """`group.create_task` is fine; a task of the loop or of the module outlives its maker."""
    found = [
        f"{name}:{node.lineno}"
        for name, tree in trees(SOURCE)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and _is_loose_task(node.func)
    ]
    assert not found


def _is_loose_task(called: ast.expr) -> bool:
    match called:
        case ast.Name(id="create_task"):
            return True
        case ast.Attribute(value=ast.Name(id="asyncio" | "loop"), attr="create_task"):
            return True
        case ast.Attribute(value=ast.Call(func=ast.Attribute(attr="get_running_loop")), attr="create_task"):
            return True
        case _:
            return False


def test_sql_is_written_in_store_and_pg_only() -> None:
    found = [
        f"{name}:{node.lineno}"
        for name, tree in trees(SOURCE)
        if not name.startswith(_SQL_HOMES)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _SQL.search(node.value)
    ]
    assert not found


def test_no_module_is_called_utils() -> None:
    assert not [name_of(file) for file in PYTHON if file.stem in {"utils", "util", "helpers", "helper", "misc"}]


def test_every_exemption_from_types_names_its_code_and_reason() -> None:
    found = [
        f"{name_of(file)}:{number}"
        for file in PYTHON
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(r"#\s*type:\s*ignore(?!\[[\w, -]+\]\s*#\s*\S)", line) and "re.search" not in line
    ]
    assert not found


@pytest.mark.parametrize("lock", committed("package-lock.json"), ids=name_of)
def test_node_locks_hold_no_download_addresses(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    assert '"resolved"' not in text
    assert "http" not in re.sub(r'"(url|funding)": "https?://[^"]+"', "", text)


@pytest.mark.parametrize("lock", ["prod.lock", "dev.lock"])
def test_python_locks_hold_no_addresses_and_a_hash_for_each_package(lock: str) -> None:
    text = (ROOT / "requirements" / lock).read_text(encoding="utf-8")
    assert "://" not in text
    assert "index-url" not in text
    for block in re.split(r"\n(?=\S)", text.strip()):
        assert "==" in block.split("\n")[0]
        assert "--hash=sha256:" in block


def test_the_dev_lock_holds_everything_of_the_prod_lock() -> None:
    """So that an environment made for tests serves the demo too."""

    def pins(lock: str) -> set[str]:
        text = (ROOT / "requirements" / lock).read_text(encoding="utf-8")
        return set(re.findall(r"^([\w.\-\[\]]+==\S+)", text, re.MULTILINE))

    assert pins("prod.lock") <= pins("dev.lock")


def test_test_modules_have_names_of_their_own() -> None:
    names = [file.name for file in committed(".py", under="tests") if file.name.startswith("test_")]
    assert sorted(names) == sorted(set(names))
