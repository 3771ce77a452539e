"""docs/mission.md: every row is there, and every proof it names."""

import re

from tests.house.source import ROOT

ROW = re.compile(r"^\| ([A-Z]\d+) \| (.+) \| (.+) \|$", re.MULTILINE)
PROOF = re.compile(r"`((?:tests|contracts|bench)/[\w./-]+)(?:::(\w+))?`")
ROWS = {row: proof for row, _, proof in ROW.findall((ROOT / "docs/mission.md").read_text(encoding="utf-8"))}


def test_all_278_rows_are_there() -> None:
    assert len(ROWS) == 278


def test_every_row_names_a_proof_or_is_open() -> None:
    assert not [row for row, proof in ROWS.items() if proof != "*open*" and "`" not in proof]


def test_every_test_named_exists() -> None:
    missing = []
    for row, proof in ROWS.items():
        for path, name in PROOF.findall(proof):
            file = ROOT / path
            named = re.compile(rf"^\s*(async def|def|function) {name}\b", re.MULTILINE)
            if not file.is_file() or (name and not named.search(file.read_text(encoding="utf-8"))):
                missing.append(f"{row}: {path}::{name}")
    assert not missing


def test_every_make_target_named_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {name for proof in ROWS.values() for name in re.findall(r"`make ([a-z-]+)", proof)} <= targets
