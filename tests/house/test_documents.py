"""What the documents name exists."""

import re
from pathlib import Path

import pytest
from tests.house.source import ROOT, committed, name_of
from tools.swap_states import TARGET, draw

DOCUMENTS = committed(".md")
_LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_link_leads_to_a_file(document: Path) -> None:
    links = [link for link in _LINK.findall(document.read_text(encoding="utf-8")) if "://" not in link]
    assert not [link for link in links if not (document.parent / link).exists()]


def test_every_target_the_readme_names_is_in_the_makefile() -> None:
    named = set(re.findall(r"`make ([a-z-]+)", (ROOT / "README.md").read_text(encoding="utf-8")))
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert named <= targets


def test_the_table_of_states_is_what_the_decision_says() -> None:
    assert TARGET.read_text(encoding="utf-8") == draw(), "run `make docs`"
