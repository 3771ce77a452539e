import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmn.core.units import Hashlock
from bmn.messages import (
    CRITICAL,
    EXECUTION,
    LARGEST,
    QUEUES,
    ROUTES,
    AdvanceSwap,
    DeployDstEscrow,
    Kind,
    MonitorSecret,
    NewOrder,
    WithdrawSrcEscrow,
    decode_message,
    kind_of,
    policy_of,
)
from bmn.pg.errors import Undeliverable
from bmn.pg.policy import RetryPolicy
from bmn.pg.queue import Priority

A_HASHLOCK = "0x" + "ab" * 32
NAMES: dict[Kind, str] = {
    NewOrder: "new_order@1",
    DeployDstEscrow: "deploy_dst_escrow@1",
    MonitorSecret: "monitor_secret@1",
    WithdrawSrcEscrow: "withdraw_src_escrow@1",
    AdvanceSwap: "advance_swap@1",
}


@given(st.binary(min_size=32, max_size=32), st.sampled_from([*ROUTES]))
def test_a_message_comes_back_as_it_was(hashlock: bytes, kind: Kind) -> None:
    message = kind(hashlock=str(Hashlock(hashlock)))
    back = decode_message(msgspec.json.encode(message))
    assert back == message
    assert type(back) is kind


@pytest.mark.parametrize(("kind", "name"), NAMES.items())
def test_the_shape_on_the_queue_is_fixed_for_each_version(kind: Kind, name: str) -> None:
    """A queue outlives the program: what version 1 wrote must be read for ever."""
    written = b'{"kind":"%s","hashlock":"%s"}' % (name.encode(), A_HASHLOCK.encode())
    assert msgspec.json.encode(kind(hashlock=A_HASHLOCK)) == written
    assert decode_message(written) == kind(hashlock=A_HASHLOCK)
    assert kind_of(kind) == name


def test_every_kind_has_a_route() -> None:
    assert ROUTES.keys() == NAMES.keys()


def test_fields_of_a_later_version_are_ignored() -> None:
    later = b'{"kind":"new_order@1","hashlock":"%s","hurry":true,"more":{"x":[1]}}' % A_HASHLOCK.encode()
    assert decode_message(later) == NewOrder(hashlock=A_HASHLOCK)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff\xfe",
        b"null",
        b"[]",
        b"{}",
        b'{"kind":"advance_swap@1"}',
        b'{"kind":"advance_swap@1","hashlock":1}',
        b'{"kind":"advance_swap@1","hashlock":"0x01"}',
        b'{"kind":"advance_swap@1","hashlock":"%s"}' % A_HASHLOCK.upper().encode(),
        b'{"kind":"advance_swap@1","hashlock":"0x01"',
        b'{"kind":7,"hashlock":"%s"}' % A_HASHLOCK.encode(),
    ],
)
def test_bytes_that_are_no_message_are_refused(payload: bytes) -> None:
    with pytest.raises(Undeliverable, match="BAD_MESSAGE"):
        decode_message(payload)


@pytest.mark.parametrize("kind", ["advance_swap@2", "new_order", "", "rescue@1"])
def test_a_kind_of_another_version_is_refused_by_name(kind: str) -> None:
    with pytest.raises(Undeliverable, match="UNKNOWN_KIND"):
        decode_message(b'{"kind":"%s","hashlock":"%s"}' % (kind.encode(), A_HASHLOCK.encode()))


def test_a_message_is_read_up_to_the_largest_size() -> None:
    written = msgspec.json.encode(NewOrder(hashlock=A_HASHLOCK))
    assert decode_message(written.ljust(LARGEST)) == NewOrder(hashlock=A_HASHLOCK)
    with pytest.raises(Undeliverable, match="MESSAGE_TOO_LARGE"):
        decode_message(written.ljust(LARGEST + 1))


def test_critical_messages_are_taken_first() -> None:
    assert QUEUES[:2] == (CRITICAL, EXECUTION)


def test_only_a_withdrawal_is_critical() -> None:
    urgent = {kind for kind, route in ROUTES.items() if route.priority is Priority.CRITICAL}
    assert urgent == {kind for kind, route in ROUTES.items() if route.queue == CRITICAL} == {WithdrawSrcEscrow}


def test_deploying_is_retried_as_the_mission_says_and_is_the_only_kind_given_up() -> None:
    assert policy_of("deploy_dst_escrow@1") == RetryPolicy(
        first=5.0, factor=2.0, longest=20.0, jitter=0.2, max_retries=3
    )
    assert {kind for kind, route in ROUTES.items() if route.policy.max_retries is not None} == {DeployDstEscrow}
