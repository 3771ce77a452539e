// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title Minimal proxies (EIP-1167) at addresses derived from a salt.
library CloneLib {
    /// @notice The clone exists already.
    error FailedDeployment();

    uint256 private constant INIT_CODE_SIZE = 0x37;

    /// @notice Create the clone of `implementation` for `salt` and give it `value` wei.
    function deploy(address implementation, bytes32 salt, uint256 value) internal returns (address clone) {
        assembly ("memory-safe") {
            // Both words lie in scratch space; the code is bytes 9..63 of it.
            mstore(0x00, or(shr(0xe8, shl(0x60, implementation)), 0x3d602d80600a3d3981f3363d3d373d3d3d363d73000000))
            mstore(0x20, or(shl(0x78, implementation), 0x5af43d82803e903d91602b57fd5bf3))
            clone := create2(value, 0x09, INIT_CODE_SIZE, salt)
        }
        if (clone == address(0)) revert FailedDeployment();
    }

    /// @notice Hash of the creation code of `implementation`'s clones.
    function codeHash(address implementation) internal pure returns (bytes32 digest) {
        assembly ("memory-safe") {
            mstore(0x00, or(shr(0xe8, shl(0x60, implementation)), 0x3d602d80600a3d3981f3363d3d373d3d3d363d73000000))
            mstore(0x20, or(shl(0x78, implementation), 0x5af43d82803e903d91602b57fd5bf3))
            digest := keccak256(0x09, INIT_CODE_SIZE)
        }
    }

    /// @notice Where `deployer` creates the clone with creation code hash `cloneHash` for `salt`.
    function addressOf(bytes32 salt, bytes32 cloneHash, address deployer) internal pure returns (address clone) {
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            mstore(buffer, deployer)
            mstore8(add(buffer, 0x0b), 0xff)
            mstore(add(buffer, 0x20), salt)
            mstore(add(buffer, 0x40), cloneHash)
            clone := and(keccak256(add(buffer, 0x0b), 0x55), 0xffffffffffffffffffffffffffffffffffffffff)
        }
    }
}
