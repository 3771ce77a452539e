// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import { LedgerToken } from "./LedgerToken.sol";

/// @title Answers a transfer with a bomb of return data, or burns all gas.
contract HostileToken is LedgerToken {
    enum Mode {
        Honest,
        ReturnBomb,
        RevertBomb,
        BurnGas
    }

    Mode private mode;

    function setMode(Mode mode_) external {
        mode = mode_;
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        _act();
        _move(msg.sender, to, amount);
        return true;
    }

    function transferFrom(address from, address to, uint256 amount) external returns (bool) {
        _spend(from, to, amount);
        return true;
    }

    function approve(address spender, uint256 amount) external returns (bool) {
        allowance[msg.sender][spender] = amount;
        return true;
    }

    function _act() private view {
        if (mode == Mode.Honest) return;
        if (mode == Mode.BurnGas) {
            while (true) { }
        }
        bool bombReverts = mode == Mode.RevertBomb;
        assembly ("memory-safe") {
            if bombReverts { revert(0, 50000) }
            return(0, 50000)
        }
    }
}
