// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title The price of a Dutch auction at this second.
library AuctionLib {
    /// @notice 100 % in units of a rate bump.
    uint256 internal constant BASE = 10_000_000;

    /// @notice How much more than its base the maker gets now, in units of 1/BASE; lowered by the price of gas.
    /// @param auction Gas bump (3), gas price (4), start (4), duration (3), rate bump (3), then points of rate bump (3)
    /// and seconds since the previous point (2). The last segment goes to zero at the end.
    function rateBump(bytes calldata auction) internal view returns (uint256) {
        unchecked {
            uint256 gasBumpEstimate = uint24(bytes3(auction[0:3]));
            uint256 gasPriceEstimate = uint32(bytes4(auction[3:7]));
            uint256 bump = _timeBump(auction[7:]);
            if (gasBumpEstimate == 0 || gasPriceEstimate == 0) return bump;
            uint256 gasBump = gasBumpEstimate * block.basefee / gasPriceEstimate / 1_000_000;
            return bump > gasBump ? bump - gasBump : 0;
        }
    }

    function _timeBump(bytes calldata auction) private view returns (uint256) {
        unchecked {
            uint256 time = uint32(bytes4(auction[0:4]));
            uint256 end = time + uint24(bytes3(auction[4:7]));
            uint256 bump = uint24(bytes3(auction[7:10]));
            if (block.timestamp <= time) return bump;
            if (block.timestamp >= end) return 0;

            bytes calldata points = auction[10:];
            while (points.length > 0) {
                uint256 nextBump = uint24(bytes3(points[0:3]));
                uint256 nextTime = time + uint16(bytes2(points[3:5]));
                if (block.timestamp <= nextTime) return _between(time, bump, nextTime, nextBump);
                (time, bump) = (nextTime, nextBump);
                points = points[5:];
            }
            return _between(time, bump, end, 0);
        }
    }

    function _between(uint256 time, uint256 bump, uint256 nextTime, uint256 nextBump) private view returns (uint256) {
        unchecked {
            return ((block.timestamp - time) * nextBump + (nextTime - block.timestamp) * bump) / (nextTime - time);
        }
    }
}
