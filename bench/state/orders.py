"""The order records that both engines store: byte for byte those of `peers/deno/common.ts`."""

from hashlib import sha256
from typing import Any, TypeAlias

import msgspec

STEPS = ("created", "dst_deployed", "secret_revealed", "src_withdrawn", "completed")
"""What becomes of an order, in order."""

Order: TypeAlias = dict[str, Any]


def order_id(number: int) -> str:
    """Return the id of order `number`: `0x` and 64 hex digits."""
    return f"0x{_digest(f'order{number}')}"


def make_order(number: int) -> Order:
    """Build order `number` in its first state; 1,067 bytes of compact JSON."""
    a, b = _digest(f"a{number}"), _digest(f"b{number}")
    return {
        "id": order_id(number),
        "status": STEPS[0],
        "version": 0,
        "updatedAt": 0,
        "createdAt": 1754900000000 + number,
        "srcChainId": 8453,
        "dstChainId": 10,
        "maker": f"0x{a[:40]}",
        "taker": f"0x{b[:40]}",
        "srcToken": f"0x{a[24:]}",
        "dstToken": f"0x{b[24:]}",
        "srcAmount": "10000000000000000000",
        "dstAmount": "9987000000000000000",
        "safetyDeposit": "20000000000000",
        "hashlock": f"0x{_digest(f's{number}')}",
        "srcEscrow": f"0x{a[12:52]}",
        "dstEscrow": f"0x{b[12:52]}",
        "txs": {"srcDeploy": f"0x{a}", "dstDeploy": f"0x{b}"},
        "timelocks": {
            "deployedAt": 1754900000,
            "srcWithdrawal": 300,
            "srcPublicWithdrawal": 600,
            "srcCancellation": 900,
            "srcPublicCancellation": 1200,
            "dstWithdrawal": 240,
            "dstPublicWithdrawal": 540,
            "dstCancellation": 840,
        },
    }


def encode_order(order: Order) -> bytes:
    """Return compact JSON, fields in the order they were written."""
    return msgspec.json.encode(order)


def decode_order(data: bytes) -> Order:
    """Read an order that we wrote."""
    order: Order = msgspec.json.decode(data)
    return order


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()
