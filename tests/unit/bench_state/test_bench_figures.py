import json

import pytest
from bench.report import Figure
from bench.state.figures import figures


def read(**line: object) -> list[Figure]:
    return figures(json.dumps({"engine": "deno-kv", **line}))


def test_a_closed_loop_is_read_as_its_rate() -> None:
    [one] = read(workload="W1 get", n=10000, conc=1, ops_s=5643, p50_ms=0.1, p99_ms=0.2, max_ms=1)
    [many] = read(workload="W3 create+enqueue", n=2000, conc=50, ops_s=2381, p50_ms=0.1, p99_ms=0.2, max_ms=1)
    assert one == Figure(name="W1 get, 1 caller", unit="ops/s", value=5643)
    assert many == Figure(name="W3 create and enqueue, 50 callers", unit="commits/s", value=2381)


def test_a_backlog_is_named_by_its_length() -> None:
    assert read(workload="W4 drain backlog", n=20000, conc=100, ops_s=379) == [
        Figure(name="W4 drain a backlog of 20,000", unit="steps/s", value=379)
    ]


def test_deliveries_are_read_as_median_and_tail() -> None:
    assert read(workload="W5 enqueue->deliver open-50/s", n=200, p50_ms=45.0, p99_ms=88.6, max_ms=90) == [
        Figure(name="W5 enqueue to handler, 50 a second, p50", unit="ms", value=45.0),
        Figure(name="W5 enqueue to handler, 50 a second, p99", unit="ms", value=88.6),
    ]


def test_one_life_at_a_time_has_a_latency_and_fifty_have_a_rate_too() -> None:
    line = {"workload": "W6 lifecycle (4 steps)", "n": 50, "ops_s": 137, "p50_ms": 360.0, "p99_ms": 400, "max_ms": 1}
    assert [figure.unit for figure in read(conc=1, **line)] == ["ms"]
    assert [figure.unit for figure in read(conc=50, **line)] == ["orders/s", "ms"]


def test_a_line_of_no_workload_is_refused() -> None:
    with pytest.raises(ValueError, match="not a workload"):
        read(workload="W9 unheard of")
