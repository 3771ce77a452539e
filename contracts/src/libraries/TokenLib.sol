// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title Moves ERC-20 tokens and native coin; copies nothing a token returns beyond one word.
/// @dev A token call counts as done if it succeeded and returned either true, or nothing from an address with code.
/// Calldata is written last word first, so that each store clears the unclean high bytes of the address after it.
library TokenLib {
    error SafeTransferFailed();
    error SafeTransferFromFailed();
    error ApproveFailed();
    error NativeTokenSendingFailure();

    // Selectors, moved in front of the twelve empty bytes of the address that follows.
    uint256 private constant TRANSFER = 0xa9059cbb000000000000000000000000; // transfer(address,uint256)
    uint256 private constant TRANSFER_FROM = 0x23b872dd000000000000000000000000; // transferFrom(address,address,uint256)
    uint256 private constant APPROVE = 0x095ea7b3000000000000000000000000; // approve(address,uint256)
    uint256 private constant BALANCE_OF = 0x70a08231000000000000000000000000; // balanceOf(address)
    uint256 private constant ALLOWANCE = 0xdd62ed3e000000000000000000000000; // allowance(address,address)

    /// @notice Send `amount` of `token`; the zero address is native coin.
    function send(address token, address to, uint256 amount) internal {
        if (token == address(0)) sendNative(to, amount);
        else transfer(token, to, amount);
    }

    /// @notice Send `amount` wei with all gas; the receiver may run code.
    function sendNative(address to, uint256 amount) internal {
        bool ok;
        assembly ("memory-safe") {
            ok := call(gas(), to, amount, 0, 0, 0, 0)
        }
        if (!ok) revert NativeTokenSendingFailure();
    }

    /// @notice `token.transfer(to, amount)`.
    function transfer(address token, address to, uint256 amount) internal {
        if (!_callTwoWords(token, TRANSFER, to, amount)) revert SafeTransferFailed();
    }

    /// @notice `token.approve(spender, amount)`.
    function approve(address token, address spender, uint256 amount) internal {
        if (!_callTwoWords(token, APPROVE, spender, amount)) revert ApproveFailed();
    }

    /// @notice `token.transferFrom(from, to, amount)`.
    function transferFrom(address token, address from, address to, uint256 amount) internal {
        bool ok;
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            mstore(add(buffer, 0x60), amount)
            mstore(add(buffer, 0x40), to)
            mstore(add(buffer, 0x2c), shl(0x60, from))
            mstore(add(buffer, 0x0c), TRANSFER_FROM)
            ok := call(gas(), token, 0, add(buffer, 0x1c), 0x64, 0x00, 0x20)
            if iszero(and(gt(returndatasize(), 0x1f), eq(mload(0x00), 1))) {
                // Not true: right only if there is no answer at all, from code.
                ok := and(ok, lt(returndatasize(), iszero(iszero(extcodesize(token)))))
            }
        }
        if (!ok) revert SafeTransferFromFailed();
    }

    /// @notice Balance of `owner`; zero if the token does not answer with a word.
    function balanceOf(address token, address owner) internal view returns (uint256 amount) {
        assembly ("memory-safe") {
            mstore(0x14, owner)
            mstore(0x00, BALANCE_OF)
            let ok := staticcall(gas(), token, 0x10, 0x24, 0x00, 0x20)
            amount := mul(mload(0x00), and(ok, gt(returndatasize(), 0x1f)))
        }
    }

    /// @notice What `spender` may take from `owner`; the maximum if the token does not answer with a word.
    function allowance(address token, address owner, address spender) internal view returns (uint256 amount) {
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            mstore(add(buffer, 0x40), spender)
            mstore(add(buffer, 0x2c), shl(0x60, owner))
            mstore(add(buffer, 0x0c), ALLOWANCE)
            let ok := staticcall(gas(), token, add(buffer, 0x1c), 0x44, 0x00, 0x20)
            amount := or(mload(0x00), sub(and(ok, gt(returndatasize(), 0x1f)), 1))
        }
    }

    function _callTwoWords(address token, uint256 selector, address who, uint256 amount) private returns (bool ok) {
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            mstore(add(buffer, 0x34), amount)
            mstore(add(buffer, 0x14), who)
            mstore(buffer, selector)
            ok := call(gas(), token, 0, add(buffer, 0x10), 0x44, 0x00, 0x20)
            if iszero(and(gt(returndatasize(), 0x1f), eq(mload(0x00), 1))) {
                // Not true: right only if there is no answer at all, from code.
                ok := and(ok, lt(returndatasize(), iszero(iszero(extcodesize(token)))))
            }
        }
    }
}
