"""Where contracts will be: clones of an implementation, CREATE, CREATE2 and CREATE3."""

from bmn.core.hashing import keccak
from bmn.core.immutables import Immutables, hash_immutables
from bmn.core.units import Address, Hash32

_CLONE_CONSTRUCTOR = bytes.fromhex("3d602d80600a3d3981f3")
_CLONE_HEAD = bytes.fromhex("363d3d373d3d3d363d73")
_CLONE_TAIL = bytes.fromhex("5af43d82803e903d91602b57fd5bf3")

# keccak256 of 0x67363d3d37363d34f03d5260086018f3, the proxy that CREATE3 deploys first.
_CREATE3_PROXY_HASH = bytes.fromhex("21c35dbe1b344a2488cf3321d6ce542f8e9f305544ff09e4993a62319a497c1f")


def clone_code(implementation: Address) -> bytes:
    """Return the 45 bytes of runtime code of an EIP-1167 clone: what `eth_getCode` of an escrow answers."""
    return _CLONE_HEAD + implementation + _CLONE_TAIL


def clone_init_code_hash(implementation: Address) -> Hash32:
    """Return keccak256 of the clone's 55-byte creation code: PROXY_BYTECODE_HASH of the implementation.

    Source: ERC-1167; ProxyHashLib of the escrow contracts.
    """
    return Hash32(keccak(_CLONE_CONSTRUCTOR + clone_code(implementation)))


def escrow_address(*, factory: Address, implementation: Address, immutables: Immutables) -> Address:
    """Return the address of the escrow; `implementation` is the source or destination one of that factory."""
    return create2_address(
        deployer=factory, salt=hash_immutables(immutables), init_code_hash=clone_init_code_hash(implementation)
    )


def create2_address(*, deployer: Address, salt: Hash32, init_code_hash: Hash32) -> Address:
    """Return the CREATE2 address. Source: EIP-1014."""
    return Address(keccak(b"\xff" + deployer + salt + init_code_hash)[12:])


def create_address(deployer: Address, nonce: int) -> Address:
    """Return the CREATE address: keccak256 of RLP [deployer, nonce].

    `nonce` counts from 1 for contracts (EIP-161) and is below 2**64.
    """
    if nonce == 0:
        encoded = b"\x80"
    elif nonce < 0x80:
        encoded = bytes((nonce,))
    else:
        digits = nonce.to_bytes((nonce.bit_length() + 7) // 8, "big")
        encoded = bytes((0x80 + len(digits),)) + digits
    payload = b"\x94" + deployer + encoded
    return Address(keccak(bytes((0xC0 + len(payload),)) + payload)[12:])


def create3_address(*, create3_factory: Address, deployer: Address, salt: Hash32) -> Address:
    """Return where the CREATE3 factory puts a contract for `deployer`, the caller of the factory.

    The address depends neither on the contract's code nor on its constructor's arguments.
    """
    return create_address(create3_proxy(create3_factory=create3_factory, deployer=deployer, salt=salt), 1)


def create3_proxy(*, create3_factory: Address, deployer: Address, salt: Hash32) -> Address:
    """Return the one-off contract that runs the creation code: `msg.sender` of the constructor."""
    return create2_address(
        deployer=create3_factory,
        salt=Hash32(keccak(deployer + salt)),
        init_code_hash=Hash32(_CREATE3_PROXY_HASH),
    )
