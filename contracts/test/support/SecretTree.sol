// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title The maker's side of a partly fillable order: N + 1 secrets under one root, leaves sorted.
library SecretTree {
    struct Tree {
        bytes32[] secrets;
        bytes32[] leaves; // by index of the secret
        bytes32[] nodes; // root first; leaves last, in descending order
    }

    function grow(uint256 parts, bytes32 seed) internal pure returns (Tree memory tree) {
        uint256 count = parts + 1;
        tree.secrets = new bytes32[](count);
        tree.leaves = new bytes32[](count);
        tree.nodes = new bytes32[](2 * count - 1);
        for (uint256 n = 0; n < count; ++n) {
            tree.secrets[n] = keccak256(abi.encode(seed, n));
            tree.leaves[n] = keccak256(abi.encodePacked(uint64(n), hashOf(tree, n)));
        }
        bytes32[] memory sorted = _sorted(tree.leaves);
        for (uint256 n = 0; n < count; ++n) {
            tree.nodes[2 * count - 2 - n] = sorted[n];
        }
        for (uint256 n = count - 1; n > 0; --n) {
            tree.nodes[n - 1] = _pair(tree.nodes[2 * n - 1], tree.nodes[2 * n]);
        }
    }

    function hashOf(Tree memory tree, uint256 index) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(tree.secrets[index]));
    }

    /// @dev What the order carries: parts in the top 16 bits, low 240 bits of the root.
    function info(Tree memory tree) internal pure returns (bytes32) {
        return bytes32((tree.secrets.length - 1) << 240 | uint240(uint256(tree.nodes[0])));
    }

    function proof(Tree memory tree, uint256 index) internal pure returns (bytes32[] memory siblings) {
        uint256 at = 0;
        while (tree.nodes[at] != tree.leaves[index]) ++at;
        siblings = new bytes32[](16);
        uint256 depth = 0;
        for (; at > 0; at = (at - 1) / 2) {
            siblings[depth++] = tree.nodes[at % 2 == 1 ? at + 1 : at - 1];
        }
        assembly ("memory-safe") {
            mstore(siblings, depth)
        }
    }

    /// @dev The taker interaction: the factory, and the proven secret hash without a leading offset word.
    function interaction(Tree memory tree, address factory, uint256 index) internal pure returns (bytes memory) {
        return abi.encodePacked(factory, abi.encode(proof(tree, index), index, hashOf(tree, index)));
    }

    function _pair(bytes32 a, bytes32 b) private pure returns (bytes32) {
        return a < b ? keccak256(abi.encodePacked(a, b)) : keccak256(abi.encodePacked(b, a));
    }

    function _sorted(bytes32[] memory values) private pure returns (bytes32[] memory copy) {
        copy = abi.decode(abi.encode(values), (bytes32[]));
        for (uint256 n = 1; n < copy.length; ++n) {
            for (uint256 m = n; m > 0 && copy[m] < copy[m - 1]; --m) {
                (copy[m], copy[m - 1]) = (copy[m - 1], copy[m]);
            }
        }
    }
}
