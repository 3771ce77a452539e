// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import { Order } from "../types/Order.sol";

/// @title Secrets of orders that may be filled in parts.
/// @notice An order of N parts has N + 1 secrets, leaves of one Merkle tree whose root the maker signed.
interface IPartialFills {
    /// @notice What the taker interaction carries (ABI-encoded without the leading offset word).
    struct TakerData {
        bytes32[] proof; // siblings from leaf to root
        uint256 idx; // number of the secret, 0..N
        bytes32 secretHash; // keccak256 of the secret
    }

    /// @notice The caller is not the order protocol (taker interaction).
    error AccessDenied();

    /// @notice The proof does not lead to the root in the order.
    error InvalidProof();

    /// @notice Remember the secret hash this fill will use. Order protocol only.
    /// @param order The order being filled.
    /// @param extension The order's extension blob; its post-interaction field names the root.
    /// @param orderHash EIP-712 hash of the order.
    /// @param taker Who called the order protocol.
    /// @param makingAmount What the maker gives in this fill.
    /// @param takingAmount What the maker gets in this fill.
    /// @param remainingMakingAmount What was left of the order before this fill.
    /// @param extraData `TakerData`.
    function takerInteraction(
        Order calldata order,
        bytes calldata extension,
        bytes32 orderHash,
        address taker,
        uint256 makingAmount,
        uint256 takingAmount,
        uint256 remainingMakingAmount,
        bytes calldata extraData
    ) external;

    /// @notice The secret hash proven last for an order.
    /// @param key keccak256 of the order hash and the low 240 bits of the root.
    /// @return index Number of the secret plus one; zero if none was proven.
    /// @return leaf keccak256 of the secret.
    function lastValidated(bytes32 key) external view returns (uint256 index, bytes32 leaf);
}
