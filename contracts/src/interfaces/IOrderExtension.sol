// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import { Order } from "../types/Order.sol";

/// @title The calls the order protocol makes on the factory while it fills an order.
interface IOrderExtension {
    /// @notice The caller is not the order protocol (pre- and post-interaction).
    error OnlyLimitOrderProtocol();

    /// @notice Accepted and ignored. Order protocol only.
    /// @param order The order being filled.
    /// @param extension The order's extension blob.
    /// @param orderHash EIP-712 hash of the order.
    /// @param taker Who called the order protocol.
    /// @param makingAmount What the maker gives in this fill.
    /// @param takingAmount What the maker gets in this fill.
    /// @param remainingMakingAmount What was left of the order before this fill.
    /// @param extraData The field of the extension after its 20-byte target.
    function preInteraction(
        Order calldata order,
        bytes calldata extension,
        bytes32 orderHash,
        address taker,
        uint256 makingAmount,
        uint256 takingAmount,
        uint256 remainingMakingAmount,
        bytes calldata extraData
    ) external;

    /// @notice Create the source escrow of this fill. Order protocol only.
    /// @param order The order being filled.
    /// @param extension The order's extension blob.
    /// @param orderHash EIP-712 hash of the order.
    /// @param taker Who called the order protocol; becomes the escrow's taker.
    /// @param makingAmount What the maker gives in this fill; must be at the escrow already.
    /// @param takingAmount What the maker gets in this fill.
    /// @param remainingMakingAmount What was left of the order before this fill.
    /// @param extraData `[resolver fee (4)] start (4) || n x (address tail (10), delay (2)) || flags (1) || 160 bytes`
    /// of hashlock info, destination chain, destination token, deposits and timelocks.
    function postInteraction(
        Order calldata order,
        bytes calldata extension,
        bytes32 orderHash,
        address taker,
        uint256 makingAmount,
        uint256 takingAmount,
        uint256 remainingMakingAmount,
        bytes calldata extraData
    ) external;

    /// @notice What the maker gives for `takingAmount` at this second of the auction; rounded down.
    /// @param order The order being filled.
    /// @param extension The order's extension blob.
    /// @param orderHash EIP-712 hash of the order.
    /// @param taker Who called the order protocol.
    /// @param takingAmount What the taker offers.
    /// @param remainingMakingAmount What is left of the order.
    /// @param extraData The auction: gas bump (3), gas price (4), start (4), duration (3), rate bump (3),
    /// then points of rate bump (3) and seconds since the previous point (2).
    /// @return In the making asset's smallest unit.
    function getMakingAmount(
        Order calldata order,
        bytes calldata extension,
        bytes32 orderHash,
        address taker,
        uint256 takingAmount,
        uint256 remainingMakingAmount,
        bytes calldata extraData
    ) external view returns (uint256);

    /// @notice What the maker gets for `makingAmount` at this second of the auction; rounded up.
    /// @param order The order being filled.
    /// @param extension The order's extension blob.
    /// @param orderHash EIP-712 hash of the order.
    /// @param taker Who called the order protocol.
    /// @param makingAmount What the maker gives.
    /// @param remainingMakingAmount What is left of the order.
    /// @param extraData The auction, as for `getMakingAmount`.
    /// @return In the taking asset's smallest unit.
    function getTakingAmount(
        Order calldata order,
        bytes calldata extension,
        bytes32 orderHash,
        address taker,
        uint256 makingAmount,
        uint256 remainingMakingAmount,
        bytes calldata extraData
    ) external view returns (uint256);
}
