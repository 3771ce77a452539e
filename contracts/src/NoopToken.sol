// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title The taker asset of cross-chain orders: moving it does nothing.
/// @notice The order protocol always moves the taker asset on the source chain; the maker is paid on the other one.
contract NoopToken {
    /// @notice Does nothing.
    /// @return Always true.
    function transferFrom(address, address, uint256) external pure returns (bool) {
        return true;
    }
}
