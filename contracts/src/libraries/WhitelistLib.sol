// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title The order's list of takers with a head start.
library WhitelistLib {
    /// @notice Bytes of one entry: address tail (10), seconds after the previous entry (2).
    uint256 internal constant ENTRY_SIZE = 12;

    /// @notice Whether `taker` is on the list and its turn has come. Only the low 80 bits of addresses count.
    /// @param entries The list, earliest first; whole entries.
    /// @param start Second from which the list counts.
    function allows(bytes calldata entries, uint256 start, address taker) internal view returns (bool) {
        unchecked {
            uint80 tail = uint80(uint160(taker));
            for (uint256 at = 0; at < entries.length; at += ENTRY_SIZE) {
                uint256 entry;
                assembly ("memory-safe") {
                    entry := shr(160, calldataload(add(entries.offset, at)))
                }
                start += uint16(entry);
                if (start > block.timestamp) return false;
                if (uint80(entry >> 16) == tail) return true;
            }
            return false;
        }
    }
}
