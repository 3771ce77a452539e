"""What the maker signs: an order of the limit order protocol v4."""

from dataclasses import dataclass
from typing import NewType

from bmn.core.errors import BadInput
from bmn.core.units import Address, TokenAmount
from bmn.core.words import decode_address, decode_uint, encode_address, encode_uint

Salt = NewType("Salt", int)
"""256 bits: 96 free ones, then the low 160 of keccak256 of the extension."""
MakerTraitsWord = NewType("MakerTraitsWord", int)
"""The maker's options as signed; `traits.unpack_maker_traits` reads it."""

ORDER_SIZE = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Give this there, get that here."""

    salt: Salt
    """Binds the extension and makes the order unique."""
    maker: Address
    """Who signs and gives."""
    receiver: Address
    """Who gets; zero means the maker."""
    maker_asset: Address
    """Token given, on the source chain."""
    taker_asset: Address
    """Token of the taker's leg on the source chain; a no-op token in escrow orders."""
    making_amount: TokenAmount
    """How much is given."""
    taking_amount: TokenAmount
    """How much is asked for all of it, in the destination token's smallest unit."""
    maker_traits: MakerTraitsWord
    """Options, expiration and nonce."""


def encode_order(order: Order) -> bytes:
    """Return the eight words in the order of the fields, 256 bytes; also the ABI encoding of the tuple.

    Raises:
        BadInput: a number does not fit its word.
    """
    return b"".join(
        (
            encode_uint(order.salt),
            encode_address(order.maker),
            encode_address(order.receiver),
            encode_address(order.maker_asset),
            encode_address(order.taker_asset),
            encode_uint(order.making_amount),
            encode_uint(order.taking_amount),
            encode_uint(order.maker_traits),
        )
    )


def decode_order(data: bytes) -> Order:
    """Read eight words.

    Raises:
        BadInput: not 256 bytes, or an address has bits above its 160.
    """
    if len(data) != ORDER_SIZE:
        raise BadInput("BAD_LENGTH", f"an order has {ORDER_SIZE} bytes, got {len(data)}")
    words = [data[at : at + 32] for at in range(0, ORDER_SIZE, 32)]
    return Order(
        salt=Salt(decode_uint(words[0])),
        maker=decode_address(words[1]),
        receiver=decode_address(words[2]),
        maker_asset=decode_address(words[3]),
        taker_asset=decode_address(words[4]),
        making_amount=TokenAmount(decode_uint(words[5])),
        taking_amount=TokenAmount(decode_uint(words[6])),
        maker_traits=MakerTraitsWord(decode_uint(words[7])),
    )
