"""Calldata of the limit order protocol v4. An order is 8 words, 256 bytes."""

from dataclasses import dataclass

from bmn.bindings.abi import (
    ORDER,
    decode_dynamic,
    decode_hash_result,
    decode_uint_result,
    encode_dynamic,
    selector,
    words_of,
)
from bmn.core.compact_signature import CompactSignature
from bmn.core.eip712 import Domain
from bmn.core.errors import BadInput
from bmn.core.order import MakerTraitsWord, Order, encode_order
from bmn.core.units import Address, ChainId, OrderHash, TokenAmount
from bmn.core.words import WORD, decode_address, decode_uint, encode_address, encode_uint

FILL_ORDER_ARGS = selector(f"fillOrderArgs({ORDER},bytes32,bytes32,uint256,uint256,bytes)")
HASH_ORDER = selector(f"hashOrder({ORDER})")
CANCEL_ORDER = selector("cancelOrder(uint256,bytes32)")
BIT_INVALIDATOR_FOR_ORDER = selector("bitInvalidatorForOrder(address,uint256)")

EIP712_DOMAIN = selector("eip712Domain()")
"""Whole calldata; answered with the domain that signatures need."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """What a fill moved."""

    making: TokenAmount
    """From the maker."""
    taking: TokenAmount
    """To the maker."""
    order_hash: OrderHash
    """Of the order."""


def build_fill_order_args(
    order: Order, signature: CompactSignature, amount: TokenAmount, taker_traits: int, args: bytes
) -> bytes:
    """Fill an order; whether `amount` is making or taking is in the traits."""
    return b"".join(
        (
            FILL_ORDER_ARGS,
            encode_order(order),
            signature.r,
            signature.vs,
            encode_uint(amount),
            encode_uint(taker_traits),
            encode_uint(416),
            encode_dynamic(args),
        )
    )


def build_hash_order(order: Order) -> bytes:
    """Ask for the order's hash."""
    return HASH_ORDER + encode_order(order)


def build_cancel_order(maker_traits: MakerTraitsWord, order_hash: OrderHash) -> bytes:
    """Cancel, as the maker: spends the nonce's bit, or the order hash for orders filled in parts."""
    return CANCEL_ORDER + encode_uint(maker_traits) + order_hash


def build_bit_invalidator_for_order(maker: Address, nonce: int) -> bytes:
    """Ask for the spent nonces of the slot that `nonce` is in.

    The contract calls this argument `slot` but shifts it right by 8 itself: it must be the nonce.
    """
    return BIT_INVALIDATOR_FOR_ORDER + encode_address(maker) + encode_uint(nonce)


def decode_fill(data: bytes) -> Fill:
    """Read the answer to `fillOrderArgs`."""
    making, taking, order_hash = words_of(data, 3)
    return Fill(
        making=TokenAmount(decode_uint(making)),
        taking=TokenAmount(decode_uint(taking)),
        order_hash=OrderHash(order_hash),
    )


def decode_order_hash(data: bytes) -> OrderHash:
    """Read the answer to `hashOrder`."""
    return OrderHash(decode_hash_result(data))


def decode_bit_invalidator(data: bytes) -> int:
    """Read the answer to `bitInvalidatorForOrder`: one bit for each spent nonce; test `MakerTraits.nonce_mask`."""
    return decode_uint_result(data)


def decode_domain(data: bytes) -> Domain:
    """Read the answer to `EIP712_DOMAIN`.

    Shape: fields bytes1, name string, version string, chainId uint256, verifyingContract address, salt bytes32,
    extensions uint256[]. Source: ERC-5267.

    Raises:
        BadInput: BAD_RESULT: other fields than name, version, chain and contract are in use.
    """
    if len(data) < 7 * WORD or data[0] != 0x0F or any(data[5 * WORD : 6 * WORD]):
        raise BadInput("BAD_RESULT", "the contract's signing domain is not name, version, chain id and contract")
    try:
        name, version = decode_dynamic(data, 1).decode(), decode_dynamic(data, 2).decode()
    except UnicodeDecodeError as error:
        raise BadInput("BAD_RESULT", "the contract's signing domain is not text") from error
    return Domain(
        name=name,
        version=version,
        chain_id=ChainId(decode_uint(data[3 * WORD : 4 * WORD])),
        verifying_contract=decode_address(data[4 * WORD : 5 * WORD]),
    )
