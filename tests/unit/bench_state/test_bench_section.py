from dataclasses import replace

from bench.report import Row, Single
from bench.state.__main__ import section

AHEAD = Row(name="W1 get, 1 caller", unit="ops/s", ours=8000, peer=5643, ratio=1.42, runs=3)
BEHIND = Row(name="W8 write to watcher, same process, p50", unit="ms", ours=1.3, peer=1.2, ratio=0.92, runs=3)
ALONE = Single(name="order update, ours, p50 (A12)", unit="ms", value=0.4312, runs=3)


def text(*rows: Row) -> str:
    return "\n".join(section(["Measured here."], list(rows), [ALONE]))


def test_the_section_has_machine_comparison_and_the_rest() -> None:
    found = text(AHEAD)
    assert found.startswith("Measured here.")
    assert "Medians of 3 runs" in found
    assert "| W1 get, 1 caller | ops/s | 8,000 | 5,643 | 1.42x |" in found
    assert "| order update, ours, p50 (A12) | ms | 0.43 | 3 |" in found


def test_a_line_on_which_we_are_behind_is_named() -> None:
    assert "Behind: W8 write to watcher, same process, p50." in text(AHEAD, BEHIND)
    assert "Ahead on every line." in text(AHEAD, replace(BEHIND, ratio=1.0))
