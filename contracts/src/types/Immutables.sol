// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import { Address } from "./Address.sol";
import { Timelocks } from "./Timelocks.sol";

/// @notice The parameters fixed at an escrow's birth. Their hash is the CREATE2 salt of the escrow.
struct Immutables {
    bytes32 orderHash; // EIP-712 hash of the signed order
    bytes32 hashlock; // keccak256 of the 32-byte secret
    Address maker; // source: who signed; destination: who is paid
    Address taker; // who may act privately, on both sides
    Address token; // escrowed token; zero = native coin (destination only)
    uint256 amount; // in the token's smallest unit
    uint256 safetyDeposit; // wei, paid to whoever finishes the escrow
    Timelocks timelocks; // with `deployedAt` of this chain
}

using ImmutablesLib for Immutables global;

library ImmutablesLib {
    uint256 private constant SIZE = 0x100;

    /// @notice keccak256 of the eight words, without offset or length.
    function hash(Immutables calldata i) internal pure returns (bytes32 digest) {
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            calldatacopy(buffer, i, SIZE)
            digest := keccak256(buffer, SIZE)
        }
    }

    /// @notice As `hash`, with `timelocks` in place of the last word.
    function hashWith(Immutables calldata i, Timelocks timelocks) internal pure returns (bytes32 digest) {
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            calldatacopy(buffer, i, SIZE)
            mstore(add(buffer, 0xe0), timelocks)
            digest := keccak256(buffer, SIZE)
        }
    }

    /// @notice As `hash`, for a copy in memory.
    function hashMem(Immutables memory i) internal pure returns (bytes32 digest) {
        assembly ("memory-safe") {
            digest := keccak256(i, SIZE)
        }
    }
}
