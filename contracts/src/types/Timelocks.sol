// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @notice Seven 32-bit offsets in seconds, stage 0 in the lowest bits, and `deployedAt` in the highest 32 bits.
type Timelocks is uint256;

using TimelocksLib for Timelocks global;

/// @notice What opens when; the number is the position of the offset in the word.
enum Stage {
    SrcWithdrawal,
    SrcPublicWithdrawal,
    SrcCancellation,
    SrcPublicCancellation,
    DstWithdrawal,
    DstPublicWithdrawal,
    DstCancellation
}

library TimelocksLib {
    uint256 private constant DEPLOYED_AT_SHIFT = 224;
    uint256 private constant OFFSETS_MASK = (1 << DEPLOYED_AT_SHIFT) - 1;

    /// @notice The same offsets with `time` (32 bits are kept) as deployment time.
    function setDeployedAt(Timelocks t, uint256 time) internal pure returns (Timelocks) {
        return Timelocks.wrap((Timelocks.unwrap(t) & OFFSETS_MASK) | (time << DEPLOYED_AT_SHIFT));
    }

    /// @notice The first second at which `stage` is open. Never wraps: the sum is made in 256 bits.
    function get(Timelocks t, Stage stage) internal pure returns (uint256) {
        uint256 word = Timelocks.unwrap(t);
        unchecked {
            return (word >> DEPLOYED_AT_SHIFT) + uint32(word >> (uint256(stage) * 32));
        }
    }

    /// @notice The first second at which a rescue is open.
    function rescueStart(Timelocks t, uint256 delay) internal pure returns (uint256) {
        // Delays are 32-bit by construction, so the sum cannot wrap.
        unchecked {
            return (Timelocks.unwrap(t) >> DEPLOYED_AT_SHIFT) + delay;
        }
    }
}
