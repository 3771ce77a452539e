from bmn.core.amounts import is_making_within, is_taking_within, making_for_taking, taking_for_making
from bmn.core.units import TokenAmount

_MAKING, _TAKING = TokenAmount(3), TokenAmount(10)


def _amount(value: int) -> TokenAmount:
    return TokenAmount(value)


def test_the_taker_pays_the_fraction() -> None:
    assert taking_for_making(order_making=_MAKING, order_taking=_TAKING, making=_amount(1)) == 4


def test_the_taker_does_not_get_the_fraction() -> None:
    assert making_for_taking(order_making=_MAKING, order_taking=_TAKING, taking=_amount(9)) == 2


def test_a_full_fill_is_exact() -> None:
    assert taking_for_making(order_making=_MAKING, order_taking=_TAKING, making=_MAKING) == _TAKING
    assert making_for_taking(order_making=_MAKING, order_taking=_TAKING, taking=_TAKING) == _MAKING


def test_the_most_taking_is_inside_its_bound_and_one_more_is_not() -> None:
    bound = {"amount": _amount(50), "making": _amount(50)}
    assert is_taking_within(_amount(100), taking=_amount(100), **bound)
    assert not is_taking_within(_amount(100), taking=_amount(101), **bound)


def test_the_bound_on_taking_shrinks_with_a_smaller_fill() -> None:
    bound = {"amount": _amount(50), "making": _amount(25)}
    assert is_taking_within(_amount(100), taking=_amount(50), **bound)
    assert not is_taking_within(_amount(100), taking=_amount(51), **bound)


def test_the_least_making_is_inside_its_bound_and_one_less_is_not() -> None:
    bound = {"amount": _amount(50), "taking": _amount(50)}
    assert is_making_within(_amount(100), making=_amount(100), **bound)
    assert not is_making_within(_amount(100), making=_amount(99), **bound)


def test_a_threshold_of_zero_bounds_nothing() -> None:
    assert is_taking_within(_amount(0), amount=_amount(1), making=_amount(1), taking=_amount(10**30))
    assert is_making_within(_amount(0), amount=_amount(1), making=_amount(0), taking=_amount(1))
