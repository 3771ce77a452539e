import json
from pathlib import Path

import pytest
from bench.report import Figure, Row, compare, singles, write_json, write_section


def rate(value: float) -> list[Figure]:
    return [Figure(name="W1 get", unit="ops/s", value=value)]


def latency(value: float) -> list[Figure]:
    return [Figure(name="W5 wait", unit="ms", value=value)]


def test_figures_are_medians_and_more_a_second_is_better() -> None:
    assert compare([rate(1), rate(30), rate(20)], [rate(10), rate(5), rate(99)]) == [
        Row(name="W1 get", unit="ops/s", ours=20, peer=10, ratio=2.0, runs=3)
    ]


def test_fewer_milliseconds_are_better() -> None:
    [row] = compare([latency(2)], [latency(50)])
    assert row.ratio == 25
    [row] = compare([latency(50)], [latency(2)])
    assert row.ratio == 0.04


def test_a_figure_of_one_engine_only_is_refused() -> None:
    with pytest.raises(ValueError, match="W5 wait"):
        compare([[*rate(1), *latency(1)]], [rate(1)])


def test_a_figure_missing_in_one_run_is_refused() -> None:
    with pytest.raises(ValueError, match="not in every run"):
        singles([rate(1), latency(1)])


def test_the_file_has_every_figure_of_both(tmp_path: Path) -> None:
    write_json(tmp_path / "out.json", compare([rate(20)], [rate(10)]))
    assert json.loads((tmp_path / "out.json").read_text()) == [
        {"name": "W1 get", "unit": "ops/s", "ours": 20, "peer": 10, "ratio": 2.0, "runs": 1}
    ]


def test_a_section_is_added_once_and_then_replaced(tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    document.write_text("# Performance\n")
    write_section(document, "bench-state", ["old"])
    document.write_text(document.read_text() + "\nThe end.\n")
    write_section(document, "bench-state", ["new", "lines"])
    assert document.read_text() == (
        "# Performance\n\n<!-- bench-state: begin -->\nnew\nlines\n<!-- bench-state: end -->\n\nThe end.\n"
    )


def test_a_section_without_its_end_is_refused(tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    document.write_text("<!-- bench-state: begin -->\nand what people wrote\n")
    with pytest.raises(ValueError, match="does not end"):
        write_section(document, "bench-state", ["new"])
