from pathlib import Path

import pytest
from bench.state.orders import decode_order, encode_order, make_order, order_id

# Printed by the peer: `deno run bench/peers/deno/orders.ts 0 1 9999 1000000 5000499`.
_PEER = (Path(__file__).parent / "orders.jsonl").read_bytes().splitlines()
_NUMBERS = (0, 1, 9_999, 1_000_000, 5_000_499)


@pytest.mark.parametrize(("number", "line"), [*zip(_NUMBERS, _PEER, strict=True)])
def test_an_order_is_byte_for_byte_the_peers(number: int, line: bytes) -> None:
    assert encode_order(make_order(number)) == line


def test_an_order_is_1067_bytes_and_reads_back() -> None:
    order = make_order(0)
    assert len(encode_order(order)) == 1067
    assert decode_order(encode_order(order)) == order
    assert order["id"] == order_id(0)
