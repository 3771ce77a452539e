"""How much for how much: linear prices of the limit order protocol, and the taker's bound on them."""

from bmn.core.units import TokenAmount


def taking_for_making(*, order_making: TokenAmount, order_taking: TokenAmount, making: TokenAmount) -> TokenAmount:
    """Return what the taker owes for `making`, rounded up, in favour of the maker. `order_making` is not zero.

    Source: AmountCalculatorLib of the limit order protocol v4.
    """
    return TokenAmount(-(-making * order_taking // order_making))


def making_for_taking(*, order_making: TokenAmount, order_taking: TokenAmount, taking: TokenAmount) -> TokenAmount:
    """Return what the taker gets for `taking`, rounded down, in favour of the maker. `order_taking` is not zero."""
    return TokenAmount(taking * order_making // order_taking)


def is_taking_within(threshold: TokenAmount, *, amount: TokenAmount, making: TokenAmount, taking: TokenAmount) -> bool:
    """Whether a fill that asked for `amount` of making passes the most it would give; 0 is unchecked.

    The threshold is for the whole `amount` and shrinks with the part really made. False is the
    protocol's TakingAmountTooHigh.
    """
    return threshold == 0 or taking * amount <= threshold * making


def is_making_within(threshold: TokenAmount, *, amount: TokenAmount, making: TokenAmount, taking: TokenAmount) -> bool:
    """Whether a fill that offered `amount` of taking passes the least it wants; 0 is unchecked.

    False is the protocol's MakingAmountTooLow.
    """
    return threshold == 0 or making * amount >= threshold * taking
