// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import { LedgerToken } from "./LedgerToken.sol";

/// @title Returns false instead of reverting.
contract FalseToken is LedgerToken {
    bool public broken;

    function setBroken(bool value) external {
        broken = value;
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        if (broken) return false;
        _move(msg.sender, to, amount);
        return true;
    }

    function transferFrom(address from, address to, uint256 amount) external returns (bool) {
        if (broken) return false;
        _spend(from, to, amount);
        return true;
    }

    function approve(address spender, uint256 amount) external returns (bool) {
        allowance[msg.sender][spender] = amount;
        return true;
    }
}
