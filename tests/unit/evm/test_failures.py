import pytest

from bmn.core.errors import PermanentError, TransientError
from bmn.evm.failures import CallReverted, RateLimited, quote, translate_error


@pytest.mark.parametrize(
    ("code", "message", "data", "expected"),
    [
        (3, "execution reverted", "0xdeadbeef", "deadbeef"),  # geth, anvil
        (3, "execution reverted: why", "0x", ""),
        (-32000, "execution reverted", None, ""),  # Arbitrum without data
        (-32015, "VM execution error.", "Reverted 0xdeadbeef", "deadbeef"),  # Nethermind, OpenEthereum
        (-32603, "VM Exception: revert", {"originalError": {"data": "0xdeadbeef"}}, "deadbeef"),
        (-32603, "EVM error InvalidOperandOOG", None, ""),  # anvil: ran out of gas
        (-32000, "invalid opcode: INVALID", None, ""),
        (-32000, "out of gas", None, ""),
    ],
)
def test_a_refusal_of_the_contract_carries_its_data(code: int, message: str, data: object, expected: str) -> None:
    error = translate_error(code, message, data, where="x")
    assert isinstance(error, CallReverted)
    assert isinstance(error, PermanentError)
    assert error.data.hex() == expected


@pytest.mark.parametrize(
    "message",
    [
        "query returned more than 10000 results",
        "Log response size exceeded. You can make eth_getLogs requests with up to a 2K block range",
        "block range is too wide",
        "exceed maximum block range: 5000",
        "query exceeds max block range 1000",
        "eth_getLogs is limited to a 10,000 range: range too large",
        "too many results, please reduce the block range",
    ],
)
def test_a_range_too_wide_is_told_from_a_rate_limit(message: str) -> None:
    assert translate_error(-32005, message, None, where="x").code == "RANGE_TOO_WIDE"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (-32005, "daily request count exceeded, request rate limited"),
        (429, "Your app has exceeded its compute units per second capacity"),
        (-32000, "Too Many Requests"),
    ],
)
def test_a_rate_limit_is_transient_and_says_when_to_return(code: int, message: str) -> None:
    error = translate_error(code, message, None, where="x")
    assert isinstance(error, RateLimited)
    assert isinstance(error, TransientError)
    assert error.retry_after > 0


def test_other_words_of_a_node_are_a_transient_error_with_its_words() -> None:
    error = translate_error(-32000, "header not found", None, where="base/alpha eth_call")
    assert (error.code, error.detail) == ("RPC_ERROR", "base/alpha eth_call: -32000 header not found")


def test_quoted_words_are_short_on_one_line_and_without_long_hex() -> None:
    assert quote("a\n b") == "a b"
    assert quote("0x" + "ab" * 31) == "0x" + "ab" * 31
    assert quote("0x" + "ab" * 32) == "0x…"
    assert len(quote("x" * 1000)) == 200
