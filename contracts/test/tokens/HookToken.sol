// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import { ERC20 } from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title Calls somebody in the middle of a transfer, as ERC-777 does.
contract HookToken is ERC20("Hook", "HOK") {
    address private target;
    bytes private data;
    bool public entered;

    function mint(address account, uint256 amount) external {
        _mint(account, amount);
    }

    /// @dev Called once, during the next transfer.
    function setHook(address target_, bytes calldata data_) external {
        (target, data) = (target_, data_);
    }

    function _update(address from, address to, uint256 amount) internal override {
        super._update(from, to, amount);
        if (target == address(0)) return;
        address once = target;
        target = address(0);
        (entered,) = once.call(data);
    }
}
