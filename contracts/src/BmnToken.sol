// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import { ERC20 } from "solady/tokens/ERC20.sol";

/// @title The access token: one unit lets its holder fill unlisted orders and finish stuck escrows.
contract BmnToken is ERC20 {
    /// @param holder Gets the whole supply; nobody can make more.
    /// @param supply In units of 1e-18.
    constructor(address holder, uint256 supply) {
        _mint(holder, supply);
    }

    /// @notice Name of the token.
    function name() public pure override returns (string memory) {
        return "Bridge Me Not";
    }

    /// @notice Symbol of the token.
    function symbol() public pure override returns (string memory) {
        return "BMN";
    }

    // Nobody has an allowance that the holder did not give.
    function _givePermit2InfiniteAllowance() internal pure override returns (bool) {
        return false;
    }
}
