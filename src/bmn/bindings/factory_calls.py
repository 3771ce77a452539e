"""Calldata of the escrow factory."""

from bmn.bindings.abi import IMMUTABLES, decode_address_result, selector
from bmn.core.immutables import Immutables, encode_immutables
from bmn.core.units import Address, UnixTime
from bmn.core.words import encode_uint

CREATE_DST_ESCROW = selector(f"createDstEscrow({IMMUTABLES},uint256)")
ADDRESS_OF_ESCROW_SRC = selector(f"addressOfEscrowSrc({IMMUTABLES})")
ADDRESS_OF_ESCROW_DST = selector(f"addressOfEscrowDst({IMMUTABLES})")

ESCROW_SRC_IMPLEMENTATION = selector("ESCROW_SRC_IMPLEMENTATION()")
"""Whole calldata; answered with an address."""
ESCROW_DST_IMPLEMENTATION = selector("ESCROW_DST_IMPLEMENTATION()")
"""Whole calldata; answered with an address."""


def build_create_dst_escrow(immutables: Immutables, src_cancellation: UnixTime) -> bytes:
    """Make a destination escrow; value is the deposit, plus the amount if the token is native.

    The factory writes `deployed_at` itself and refuses a cancellation after `src_cancellation`.
    """
    return CREATE_DST_ESCROW + encode_immutables(immutables) + encode_uint(src_cancellation)


def build_address_of_escrow_src(immutables: Immutables) -> bytes:
    """Ask for the source escrow's address."""
    return ADDRESS_OF_ESCROW_SRC + encode_immutables(immutables)


def build_address_of_escrow_dst(immutables: Immutables) -> bytes:
    """Ask for the destination escrow's address."""
    return ADDRESS_OF_ESCROW_DST + encode_immutables(immutables)


def decode_escrow_address(data: bytes) -> Address:
    """Read the answer to `addressOfEscrow…`."""
    return decode_address_result(data)


def decode_implementation(data: bytes) -> Address:
    """Read the answer to `ESCROW_…_IMPLEMENTATION`."""
    return decode_address_result(data)
