"""Calldata of escrows and of the two implementations they are clones of. Immutables are 8 words, 256 bytes."""

from bmn.bindings.abi import IMMUTABLES, decode_address_result, decode_hash_result, decode_uint_result, selector
from bmn.core.immutables import Immutables, encode_immutables
from bmn.core.units import Address, Hash32, Seconds, Secret, TokenAmount
from bmn.core.words import encode_address, encode_uint

WITHDRAW = selector(f"withdraw(bytes32,{IMMUTABLES})")
WITHDRAW_TO = selector(f"withdrawTo(bytes32,address,{IMMUTABLES})")
PUBLIC_WITHDRAW = selector(f"publicWithdraw(bytes32,{IMMUTABLES})")
CANCEL = selector(f"cancel({IMMUTABLES})")
PUBLIC_CANCEL = selector(f"publicCancel({IMMUTABLES})")
RESCUE_FUNDS = selector(f"rescueFunds(address,uint256,{IMMUTABLES})")

FACTORY = selector("FACTORY()")
"""Whole calldata; answered with an address."""
RESCUE_DELAY = selector("RESCUE_DELAY()")
"""Whole calldata; answered with seconds."""
PROXY_BYTECODE_HASH = selector("PROXY_BYTECODE_HASH()")
"""Whole calldata; answered with the hash of `core.escrow_address.clone_init_code_hash`."""


def build_withdraw(secret: Secret, immutables: Immutables) -> bytes:
    """Pay out with the secret, as the taker. The calldata carries the secret."""
    return WITHDRAW + secret.reveal() + encode_immutables(immutables)


def build_withdraw_to(secret: Secret, target: Address, immutables: Immutables) -> bytes:
    """Claim on the source side to `target`, as the taker. The calldata carries the secret."""
    return WITHDRAW_TO + secret.reveal() + encode_address(target) + encode_immutables(immutables)


def build_public_withdraw(secret: Secret, immutables: Immutables) -> bytes:
    """Pay out with the secret, as a holder of the access token. The calldata carries the secret."""
    return PUBLIC_WITHDRAW + secret.reveal() + encode_immutables(immutables)


def build_cancel(immutables: Immutables) -> bytes:
    """Give back, as the taker."""
    return CANCEL + encode_immutables(immutables)


def build_public_cancel(immutables: Immutables) -> bytes:
    """Give back on the source side, as a holder of the access token."""
    return PUBLIC_CANCEL + encode_immutables(immutables)


def build_rescue_funds(token: Address, amount: TokenAmount, immutables: Immutables) -> bytes:
    """Sweep after the rescue delay, as the taker."""
    return RESCUE_FUNDS + encode_address(token) + encode_uint(amount) + encode_immutables(immutables)


def decode_factory(data: bytes) -> Address:
    """Read the answer to `FACTORY`."""
    return decode_address_result(data)


def decode_rescue_delay(data: bytes) -> Seconds:
    """Read the answer to `RESCUE_DELAY`."""
    return Seconds(decode_uint_result(data))


def decode_proxy_bytecode_hash(data: bytes) -> Hash32:
    """Read the answer to `PROXY_BYTECODE_HASH`."""
    return decode_hash_result(data)
