// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import { Ours } from "./Ours.sol";

/// @title Records the gas of one transaction under the name the reference gives the same case: `call | variant`.
/// @dev Heirs are isolated: each call is a transaction of its own, with intrinsic and calldata gas and refunds.
abstract contract GasMeter is Ours {
    function setUp() public virtual override {
        super.setUp();
        // Coin recipients exist already, as in the reference's cases.
        vm.deal(TAKER, 1 ether);
        vm.deal(HOLDER, 1 ether);
    }

    function measure(string memory name, address from, address to, uint256 value, bytes memory data) internal {
        vm.prank(from);
        (bool ok,) = to.call{ value: value }(data);
        vm.snapshotGasLastCall("Gas", name);
        assertTrue(ok, name);
        uint256 zeros;
        for (uint256 n = 0; n < data.length; ++n) {
            if (data[n] == 0) ++zeros;
        }
        vm.snapshotValue("GasCalldataZeroBytes", name, zeros);
    }

    function measure(string memory name, address from, address to, bytes memory data) internal {
        measure(name, from, to, 0, data);
    }
}
