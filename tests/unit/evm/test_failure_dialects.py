"""The limits of common providers, each in its own words, become the error that says what to do."""

import pytest
from tests.support.fault_dialects import TOO_OFTEN, TOO_WIDE
from tests.support.fault_rules import Refuses

from bmn.core.errors import ChainError
from bmn.evm.failures import RateLimited, translate_error


@pytest.mark.parametrize("dialect", TOO_WIDE)
def test_a_refused_range_is_known_in_every_dialect(dialect: str) -> None:
    refusal = TOO_WIDE[dialect](100, 109)
    error = translate_error(refusal.code, refusal.message, refusal.data, where="x")
    assert isinstance(error, ChainError)
    assert error.code == "RANGE_TOO_WIDE"


@pytest.mark.parametrize("refusal", [fault for fault in TOO_OFTEN.values() if isinstance(fault, Refuses)])
def test_a_rate_limit_is_known_in_every_dialect(refusal: Refuses) -> None:
    assert isinstance(translate_error(refusal.code, refusal.message, refusal.data, where="x"), RateLimited)


@pytest.mark.parametrize(
    ("message", "data"),
    [
        ("invalid params", {"payload": "missing field `address`"}),
        ("invalid params", "range"),
        ("header not found", {"range": 5}),
        ("project is limited to 10 projects", None),
    ],
)
def test_words_of_something_else_are_no_refused_range(message: str, data: object) -> None:
    error = translate_error(-32602, message, data, where="x")
    assert isinstance(error, ChainError)
    assert error.code == "RPC_ERROR"
