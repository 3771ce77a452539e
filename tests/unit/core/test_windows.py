import pytest
from tests.support.swap_values import BORN, TIMELOCKS

from bmn.core.errors import InvariantViolation
from bmn.core.units import Seconds, UnixTime
from bmn.core.windows import Call, Role, Side, Window, needs_secret, role_for, window_of

DELAY = Seconds(604_800)


@pytest.mark.parametrize(
    ("side", "call", "opens", "closes"),
    [
        (Side.SRC, Call.WITHDRAW, 10, 240),
        (Side.SRC, Call.WITHDRAW_TO, 10, 240),
        (Side.SRC, Call.PUBLIC_WITHDRAW, 120, 240),
        (Side.SRC, Call.CANCEL, 240, None),
        (Side.SRC, Call.PUBLIC_CANCEL, 360, None),
        (Side.SRC, Call.RESCUE, 604_800, None),
        (Side.DST, Call.WITHDRAW, 10, 200),
        (Side.DST, Call.PUBLIC_WITHDRAW, 100, 200),
        (Side.DST, Call.CANCEL, 200, None),
        (Side.DST, Call.RESCUE, 604_800, None),
    ],
)
def test_a_call_is_open_from_its_stage_until_the_next(side: Side, call: Call, opens: int, closes: int | None) -> None:
    window = window_of(side, call, TIMELOCKS, DELAY)
    assert window.opens == BORN + opens
    assert window.closes == (None if closes is None else BORN + closes)


@pytest.mark.parametrize("call", [Call.WITHDRAW_TO, Call.PUBLIC_CANCEL])
def test_the_destination_has_no_such_call(call: Call) -> None:
    with pytest.raises(InvariantViolation, match="NO_SUCH_CALL"):
        window_of(Side.DST, call, TIMELOCKS, DELAY)


def test_the_first_second_is_inside_and_the_last_is_not() -> None:
    window = Window(opens=UnixTime(300), closes=UnixTime(400))
    assert [window.is_open(UnixTime(at)) for at in (299, 300, 399, 400)] == [False, True, True, False]


def test_a_window_without_end_stays_open() -> None:
    window = Window(opens=UnixTime(300), closes=None)
    assert [window.is_open(UnixTime(at)) for at in (299, 300, 2**40)] == [False, True, True]


def test_only_public_calls_are_for_holders() -> None:
    assert {call for call in Call if role_for(call) is Role.HOLDER} == {Call.PUBLIC_WITHDRAW, Call.PUBLIC_CANCEL}


def test_every_withdrawal_shows_the_secret_and_nothing_else_does() -> None:
    assert {call for call in Call if needs_secret(call)} == {Call.WITHDRAW, Call.WITHDRAW_TO, Call.PUBLIC_WITHDRAW}
