// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title Who may do what at the resolver's contract: owner (cold) over operators (hot) over anybody.
interface IResolverRoles {
    event OwnershipTransferStarted(address indexed owner, address indexed pendingOwner);
    event OwnershipTransferred(address indexed previousOwner, address indexed owner);
    event OperatorSet(address indexed operator, bool allowed);
    event Paused(address indexed by);
    event Unpaused();

    /// @notice A new treasury can be accepted from `readyAt` (seconds, this chain's clock).
    event TreasuryProposed(address indexed treasury, uint64 readyAt);
    event TreasurySet(address indexed treasury);

    error NotOwner();
    error NotOperator();

    /// @notice No new fills and locks at present.
    error IsPaused();

    /// @notice Zero, or this contract itself.
    error BadAddress();

    /// @notice No treasury is proposed, or its delay is not over.
    error TooEarly();

    /// @notice Offer ownership; it moves when the other side accepts. Owner only.
    /// @param to The next owner.
    function transferOwnership(address to) external;

    /// @notice Take the ownership offered to the caller.
    function acceptOwnership() external;

    /// @notice Let an account act for the resolver, or stop it. Owner only.
    /// @param operator A plain account, never a contract others can call through.
    /// @param allowed Whether it may act.
    function setOperator(address operator, bool allowed) external;

    /// @notice Stop new fills and locks, and nothing else. Operator or owner.
    function pause() external;

    /// @notice Allow new fills and locks again. Owner only.
    function unpause() external;

    /// @notice Propose where swept funds go. Owner only.
    /// @param to The next treasury.
    function setTreasury(address to) external;

    /// @notice Make the proposed treasury the treasury, two days after it was proposed. Owner only.
    function acceptTreasury() external;

    /// @notice The owner.
    function owner() external view returns (address);

    /// @notice Who may accept ownership; zero if nobody.
    function pendingOwner() external view returns (address);

    /// @notice Whether an account may act for the resolver.
    function isOperator(address account) external view returns (bool);

    /// @notice Whether new fills and locks are stopped.
    function paused() external view returns (bool);

    /// @notice Where swept funds go.
    function treasury() external view returns (address);

    /// @notice The proposed treasury; zero if none.
    function pendingTreasury() external view returns (address);

    /// @notice Second from which the proposed treasury can be accepted.
    function treasuryReadyAt() external view returns (uint64);
}
