// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import { LedgerToken } from "./LedgerToken.sol";

/// @title Returns nothing and refuses to change an allowance, as USDT does.
contract NoReturnToken is LedgerToken {
    function transfer(address to, uint256 amount) external {
        _move(msg.sender, to, amount);
    }

    function transferFrom(address from, address to, uint256 amount) external {
        _spend(from, to, amount);
    }

    /// @dev Refuses to replace an allowance that is not zero.
    function approve(address spender, uint256 amount) external {
        require(amount == 0 || allowance[msg.sender][spender] == 0, "approve race");
        allowance[msg.sender][spender] = amount;
    }
}
