// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import { ERC20 } from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title Never lowers an allowance.
contract InfiniteAllowanceToken is ERC20("Infinite", "INF") {
    function mint(address account, uint256 amount) external {
        _mint(account, amount);
    }

    function _spendAllowance(address, address, uint256) internal pure override { }
}
