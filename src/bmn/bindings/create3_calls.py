"""Calldata of the CREATE3 factory and of the CREATE2 deployer that puts it on a chain."""

from bmn.bindings.abi import decode_address_result, encode_dynamic, selector
from bmn.bindings.codec import decode
from bmn.core.errors import BadInput
from bmn.core.units import Address, Hash32
from bmn.core.words import encode_address, encode_uint

CREATE2_DEPLOYER = Address.from_hex("0x4e59b44847b379578588920cA78FbF26c0B4956C")
"""The same on every chain that has it; takes salt and creation code, without a selector."""

DEPLOY = selector("deploy(bytes32,bytes)")
GET_DEPLOYED = selector("getDeployed(address,bytes32)")


def build_create2(salt: Hash32, init_code: bytes) -> bytes:
    """Return the calldata of `CREATE2_DEPLOYER`."""
    return salt + init_code


def build_deploy(salt: Hash32, init_code: bytes) -> bytes:
    """Create a contract; its address depends on the caller and `salt` only."""
    return DEPLOY + salt + encode_uint(64) + encode_dynamic(init_code)


def decode_deploy(data: bytes) -> tuple[Hash32, bytes]:
    """Read the calldata of `deploy`: salt and creation code.

    Raises:
        BadInput: BAD_ABI: another call, or not as an encoder writes it.
    """
    if data[:4] != DEPLOY:
        raise BadInput("BAD_ABI", "this is no call of deploy")
    salt, code = decode("(bytes32,bytes)", data[4:])
    assert isinstance(salt, bytes)
    assert isinstance(code, bytes)
    return Hash32(salt), code


def build_get_deployed(deployer: Address, salt: Hash32) -> bytes:
    """Ask where `deployer`'s contract of that salt is or will be."""
    return GET_DEPLOYED + encode_address(deployer) + salt


def decode_deployed(data: bytes) -> Address:
    """Read the answer to `deploy` or `getDeployed`."""
    return decode_address_result(data)
