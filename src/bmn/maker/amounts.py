"""Amounts as people write them: `10.5` of a token with decimals, and back."""

import re
from typing import Final

from bmn.core.errors import BadInput
from bmn.core.units import UINT256_MAX, TokenAmount

_AMOUNT: Final = re.compile(r"([0-9]{1,78})(?:\.([0-9]{1,78}))?")


def parse_amount(text: str, decimals: int) -> TokenAmount:
    """Read digits with at most `decimals` of them after the point; nothing is rounded.

    Raises:
        BadInput: BAD_AMOUNT, TOO_MANY_DECIMALS.
    """
    found = _AMOUNT.fullmatch(text.strip())
    if found is None:
        raise BadInput("BAD_AMOUNT", f"{text[:80]!r} is not an amount", hint="write digits and a point, like 10.5")
    whole, fraction = found[1], found[2] or ""
    if len(fraction) > decimals:
        raise BadInput(
            "TOO_MANY_DECIMALS",
            f"{text.strip()} has {len(fraction)} decimals, the token has {decimals}",
            hint="nothing is rounded here: leave the last digits out yourself",
        )
    amount = int(whole + fraction.ljust(decimals, "0"))
    if amount > UINT256_MAX:
        raise BadInput("BAD_AMOUNT", f"{text.strip()} does not fit 256 bits")
    return TokenAmount(amount)


def show_amount(amount: TokenAmount, decimals: int) -> str:
    """Return the shortest text that `parse_amount` reads back."""
    digits = str(amount).rjust(decimals + 1, "0")
    whole, fraction = digits[: len(digits) - decimals], digits[len(digits) - decimals :].rstrip("0")
    return f"{whole}.{fraction}" if fraction else whole
