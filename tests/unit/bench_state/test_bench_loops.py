import asyncio

from bench.state.loops import closed_loops, latencies, percentile


def test_a_percentile_is_the_value_at_its_place() -> None:
    values = [float(number) for number in range(100, 0, -1)]
    assert percentile(values, 0.5) == 51
    assert percentile(values, 0.99) == 100
    assert percentile([7.0], 0.99) == 7


def test_latencies_are_in_milliseconds() -> None:
    assert latencies([0.001, 0.002, 0.003]) == {"p50_ms": 2.0, "p99_ms": 3.0, "max_ms": 3.0}


async def test_each_number_is_done_once_by_no_more_than_the_callers() -> None:
    done: list[int] = []
    busy = most = 0

    async def work(number: int) -> None:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        await asyncio.sleep(0)
        busy -= 1
        done.append(number)

    found = await closed_loops(20, 5, work)
    assert sorted(done) == list(range(20))
    assert most == 5
    assert (found["n"], found["conc"]) == (20, 5)
