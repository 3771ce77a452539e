import pytest
from tests.support.swap_values import A_SECRET, MAKER

from bmn.bindings.abi import decode_revert, encode_dynamic, selector
from bmn.core.words import encode_address, encode_uint


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "no reason given"),
        (selector("InvalidTime()"), "InvalidTime()"),
        (selector("OutOfGasBudget(uint256)") + encode_uint(3), "OutOfGasBudget(3)"),
        (
            selector("AlreadyLocked(bytes32,address)") + A_SECRET.hashlock + encode_address(MAKER),
            f"AlreadyLocked({A_SECRET.hashlock}, 0x{MAKER.hex()})",
        ),
        (
            selector("SelectorNotAllowed(bytes4)") + b"\1\2\3\4" + bytes(28),
            "SelectorNotAllowed(0x01020304)",
        ),
        (selector("Panic(uint256)") + encode_uint(0x11), "Panic(0x11)"),
        (selector("Error(string)") + encode_uint(32) + encode_dynamic(b"no luck"), "Error('no luck')"),
        (b"\1\2\3\4" + bytes(64), "unknown error 0x01020304"),
        (b"\1\2", "unknown error 0x0102"),
    ],
)
def test_says_why_a_call_failed(data: bytes, text: str) -> None:
    assert decode_revert(data) == text


def test_a_known_error_of_another_length_is_unknown() -> None:
    assert decode_revert(selector("InvalidTime()") + bytes(32)).startswith("unknown error")
    assert decode_revert(selector("OutOfGasBudget(uint256)")).startswith("unknown error")


def test_a_strangers_text_is_cut_and_made_printable() -> None:
    text = decode_revert(selector("Error(string)") + encode_uint(32) + encode_dynamic(b"\n\x1b" + b"x" * 500))
    assert "\n" not in text
    assert "\x1b" not in text
    assert len(text) < 150


@pytest.mark.parametrize("body", [b"", encode_uint(2**255), encode_uint(32) + encode_uint(2**200)])
def test_a_broken_text_is_no_failure(body: bytes) -> None:
    assert decode_revert(selector("Error(string)") + body) == "Error(…)"
