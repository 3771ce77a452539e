import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmn.core.errors import PermanentError
from bmn.core.units import Hashlock
from bmn.messages import CRITICAL, EXECUTION, QUEUES, AdvanceSwap, decode_message


@given(st.binary(min_size=32, max_size=32))
def test_a_message_comes_back_as_it_was(hashlock: bytes) -> None:
    message = AdvanceSwap(hashlock=str(Hashlock(hashlock)))
    assert decode_message(msgspec.json.encode(message)) == message


def test_the_shape_on_the_queue_is_fixed() -> None:
    assert msgspec.json.encode(AdvanceSwap(hashlock="0x01")) == b'{"kind":"advance_swap@1","hashlock":"0x01"}'


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff\xfe",
        b"null",
        b"[]",
        b"{}",
        b'{"kind":"advance_swap@1"}',
        b'{"kind":"advance_swap@2","hashlock":"0x01"}',
        b'{"kind":"advance_swap@1","hashlock":1}',
        b'{"kind":"advance_swap@1","hashlock":"0x01"',
    ],
)
def test_bytes_that_are_no_message_are_refused(payload: bytes) -> None:
    with pytest.raises(PermanentError, match="BAD_MESSAGE"):
        decode_message(payload)


def test_critical_messages_are_taken_first() -> None:
    assert QUEUES[:2] == (CRITICAL, EXECUTION)
