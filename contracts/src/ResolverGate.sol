// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import { IOrderExtension } from "./interfaces/IOrderExtension.sol";
import { IResolverGate } from "./interfaces/IResolverGate.sol";
import { TokenLib } from "./libraries/TokenLib.sol";
import { WhitelistLib } from "./libraries/WhitelistLib.sol";
import { Order } from "./types/Order.sol";

/// @title Lets takers through by the order's list or by access token; there is no fee bank.
abstract contract ResolverGate is IResolverGate {
    uint256 private constant FEE_FLAG = 1;
    uint256 private constant FEE_UNIT = 1e15;

    address private immutable ACCESS_TOKEN;

    constructor(address accessToken) {
        ACCESS_TOKEN = accessToken;
    }

    /// @inheritdoc IResolverGate
    address public constant FEE_BANK = address(0);

    /// @inheritdoc IResolverGate
    function availableCredit(address) external pure returns (uint256) {
        return 0;
    }

    /// @inheritdoc IResolverGate
    function increaseAvailableCredit(address, uint256) external pure returns (uint256) {
        revert OnlyFeeBank();
    }

    /// @inheritdoc IResolverGate
    function decreaseAvailableCredit(address, uint256) external pure returns (uint256) {
        revert OnlyFeeBank();
    }

    /// @dev Reverts unless `taker` may fill now.
    /// @param gate `[resolver fee (4)] start (4) || entries || chained interaction || flags (1)`.
    /// @return chained What lies between the list and the flags.
    function _checkTakerMayFill(Order calldata order, address taker, uint256 makingAmount, bytes calldata gate)
        internal
        view
        returns (bytes calldata chained)
    {
        unchecked {
            uint256 flags = uint8(gate[gate.length - 1]);
            uint256 feeSize = (flags & FEE_FLAG) << 2;
            uint256 start = uint32(bytes4(gate[feeSize:feeSize + 4]));
            uint256 listEnd = feeSize + 4 + (flags >> 3) * WhitelistLib.ENTRY_SIZE;
            if (!WhitelistLib.allows(gate[feeSize + 4:listEnd], start, taker)) {
                if (start > block.timestamp || TokenLib.balanceOf(ACCESS_TOKEN, taker) == 0) {
                    revert ResolverCanNotFillOrder();
                }
                if (feeSize != 0) _checkNoFee(uint32(bytes4(gate[0:4])), order.makingAmount, makingAmount);
            }
            return gate[listEnd:gate.length - 1];
        }
    }

    function _checkNoFee(uint256 fee, uint256 orderMakingAmount, uint256 makingAmount) private pure {
        if (fee * FEE_UNIT * makingAmount / orderMakingAmount != 0) revert NotEnoughCredit();
    }
}
