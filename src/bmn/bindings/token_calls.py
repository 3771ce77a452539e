"""Calldata of ERC-20 tokens."""

from bmn.bindings.abi import decode_dynamic, decode_uint_result, selector
from bmn.core.errors import BadInput
from bmn.core.units import Address, TokenAmount
from bmn.core.words import WORD, encode_address, encode_uint

BALANCE_OF = selector("balanceOf(address)")
ALLOWANCE = selector("allowance(address,address)")
APPROVE = selector("approve(address,uint256)")
TRANSFER = selector("transfer(address,uint256)")

DECIMALS = selector("decimals()")
"""Whole calldata; answered with a small number."""
SYMBOL = selector("symbol()")
"""Whole calldata; answered with a text, by a few old tokens with bytes32."""


def build_balance_of(owner: Address) -> bytes:
    """Ask how much `owner` has."""
    return BALANCE_OF + encode_address(owner)


def build_allowance(owner: Address, spender: Address) -> bytes:
    """Ask how much of `owner`'s `spender` may move."""
    return ALLOWANCE + encode_address(owner) + encode_address(spender)


def build_approve(spender: Address, amount: TokenAmount) -> bytes:
    """Let `spender` move up to `amount` of the sender's tokens."""
    return APPROVE + encode_address(spender) + encode_uint(amount)


def build_transfer(receiver: Address, amount: TokenAmount) -> bytes:
    """Send tokens."""
    return TRANSFER + encode_address(receiver) + encode_uint(amount)


def decode_amount(data: bytes) -> TokenAmount:
    """Read the answer to `balanceOf` or `allowance`."""
    return TokenAmount(decode_uint_result(data))


def decode_decimals(data: bytes) -> int:
    """Read the answer to `DECIMALS`.

    Raises:
        BadInput: BAD_RESULT: more than 77, which no 256-bit amount could have.
    """
    decimals = decode_uint_result(data)
    if decimals > 77:
        raise BadInput("BAD_RESULT", f"a token with {decimals} decimals is not believable")
    return decimals


def decode_symbol(data: bytes) -> str:
    """Read the answer to `SYMBOL`; unprintable characters become `?` and it is cut at 32, for it is anybody's text."""
    raw = data.rstrip(b"\0") if len(data) == WORD else decode_dynamic(data, 0)
    text = raw.decode(errors="replace")[:32]
    return "".join(char if char.isprintable() else "?" for char in text)
