// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @notice What one token may lose to a stolen operator key, in its smallest unit.
struct Limit {
    uint128 perLock; // most at once; zero refuses the token
    uint128 perHour; // most in an hour; zero is no such limit
}

/// @notice A bucket that leaks its hourly limit in an hour.
struct Bucket {
    uint128 level;
    uint64 at; // second of the level
}

library LimitLib {
    /// @notice Whether `amount` fits the limits; if so, the bucket holds it from now on.
    function take(Limit memory limit, mapping(address => Bucket) storage buckets, address token, uint256 amount)
        internal
        returns (bool)
    {
        if (amount > limit.perLock) return false;
        if (limit.perHour == 0) return true;
        Bucket memory bucket = buckets[token];
        // The leak is rounded down, against us.
        uint256 leaked = uint256(limit.perHour) * (block.timestamp - bucket.at) / 1 hours;
        uint256 level = (bucket.level > leaked ? bucket.level - leaked : 0) + amount;
        if (level > limit.perHour) return false;
        buckets[token] = Bucket({ level: uint128(level), at: uint64(block.timestamp) });
        return true;
    }
}
