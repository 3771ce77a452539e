// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import { IOrderExtension } from "./interfaces/IOrderExtension.sol";
import { AuctionLib } from "./libraries/AuctionLib.sol";
import { Order } from "./types/Order.sol";
import { FixedPointMathLib } from "solady/utils/FixedPointMathLib.sol";

/// @title The amounts of an order whose price is an auction.
abstract contract OrderAuction is IOrderExtension {
    /// @inheritdoc IOrderExtension
    function getMakingAmount(
        Order calldata order,
        bytes calldata,
        bytes32,
        address,
        uint256 takingAmount,
        uint256,
        bytes calldata extraData
    ) external view returns (uint256) {
        uint256 rate = AuctionLib.BASE + AuctionLib.rateBump(extraData);
        return
            FixedPointMathLib.fullMulDiv(order.makingAmount, takingAmount * AuctionLib.BASE, order.takingAmount * rate);
    }

    /// @inheritdoc IOrderExtension
    function getTakingAmount(
        Order calldata order,
        bytes calldata,
        bytes32,
        address,
        uint256 makingAmount,
        uint256,
        bytes calldata extraData
    ) external view returns (uint256) {
        uint256 rate = AuctionLib.BASE + AuctionLib.rateBump(extraData);
        return
            FixedPointMathLib.fullMulDivUp(
                order.takingAmount, makingAmount * rate, order.makingAmount * AuctionLib.BASE
            );
    }
}
