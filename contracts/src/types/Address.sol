// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @notice An address as the order protocol passes it: the low 160 bits of a word, the rest ignored.
type Address is uint256;

using AddressLib for Address global;

library AddressLib {
    /// @notice The low 160 bits.
    function get(Address a) internal pure returns (address) {
        return address(uint160(Address.unwrap(a)));
    }
}
