// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title Which secret a partial fill must use, and the proof that it is the maker's.
library PartialFillLib {
    /// @notice Low 240 bits of the Merkle root as the order states them.
    function shortRoot(bytes32 hashlockInfo) internal pure returns (uint240) {
        return uint240(uint256(hashlockInfo));
    }

    /// @notice Where the last proven secret of an order is kept.
    function keyOf(bytes32 orderHash, bytes32 hashlockInfo) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(orderHash, shortRoot(hashlockInfo)));
    }

    /// @notice Root of the tree with secret number `idx` at the end of `proof`; siblings are hashed in ascending order.
    function rootOf(bytes32[] calldata proof, uint256 idx, bytes32 secretHash) internal pure returns (bytes32 node) {
        node = keccak256(abi.encodePacked(uint64(idx), secretHash));
        assembly ("memory-safe") {
            let end := add(proof.offset, shl(5, proof.length))
            for { let at := proof.offset } lt(at, end) { at := add(at, 0x20) } {
                let sibling := calldataload(at)
                // The smaller of the two goes first.
                let side := shl(5, gt(node, sibling))
                mstore(side, node)
                mstore(xor(side, 0x20), sibling)
                node := keccak256(0x00, 0x40)
            }
        }
    }

    /// @notice Whether a fill may use secret number `index - 1`.
    /// @param making What the maker gives in this fill.
    /// @param remaining What was left of the order before this fill.
    /// @param orderMaking What the maker gives in all.
    /// @param parts Into how many parts the order is divided; it has one secret more.
    /// @param index Number of the proven secret plus one.
    function isValid(uint256 making, uint256 remaining, uint256 orderMaking, uint256 parts, uint256 index)
        internal
        pure
        returns (bool)
    {
        uint256 filled = orderMaking - remaining;
        uint256 part = (filled + making - 1) * parts / orderMaking;
        // The fill that completes the order uses the extra secret, the last one.
        if (remaining == making) return index == part + 2;
        // Two fills must not end in the same part.
        if (filled != 0 && (filled - 1) * parts / orderMaking == part) return false;
        return index == part + 1;
    }
}
