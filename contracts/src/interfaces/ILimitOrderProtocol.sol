// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import { Order } from "../types/Order.sol";

/// @title The one call we make on the limit order protocol (v4).
interface ILimitOrderProtocol {
    /// @notice Fill an order.
    /// @param order What the maker signed.
    /// @param r Signature.
    /// @param vs Signature: parity << 255 | s.
    /// @param amount Making or taking amount of the fill, by bit 255 of `takerTraits`.
    /// @param takerTraits How to fill; bit 251: `args` starts with the receiver of the making asset.
    /// @param args `[target (20)] || extension || interaction`.
    /// @return makingAmount What the maker gave.
    /// @return takingAmount What the maker got.
    /// @return orderHash EIP-712 hash of the order.
    function fillOrderArgs(
        Order calldata order,
        bytes32 r,
        bytes32 vs,
        uint256 amount,
        uint256 takerTraits,
        bytes calldata args
    ) external payable returns (uint256 makingAmount, uint256 takingAmount, bytes32 orderHash);
}
