// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import { IResolverRoles } from "./interfaces/IResolverRoles.sol";

/// @title Owner, operators, pause and treasury of the resolver's contract.
abstract contract ResolverRoles is IResolverRoles {
    uint256 private constant TREASURY_DELAY = 2 days;

    /// @inheritdoc IResolverRoles
    address public owner;
    /// @inheritdoc IResolverRoles
    address public pendingOwner;
    /// @inheritdoc IResolverRoles
    address public treasury;
    /// @inheritdoc IResolverRoles
    bool public paused;
    /// @dev Beside `paused`, because a lock reads both. Set by the heir, which knows what a margin is.
    uint32 internal leastMargin;
    /// @inheritdoc IResolverRoles
    address public pendingTreasury;
    /// @inheritdoc IResolverRoles
    uint64 public treasuryReadyAt;
    /// @inheritdoc IResolverRoles
    mapping(address account => bool) public isOperator;

    /// @dev The owner is an argument: behind CREATE3 the sender is a proxy used once.
    constructor(address firstOwner, address firstTreasury) {
        owner = _checked(firstOwner);
        treasury = _checked(firstTreasury);
        emit OwnershipTransferred(address(0), firstOwner);
        emit TreasurySet(firstTreasury);
    }

    modifier onlyOwner() {
        _checkOwner();
        _;
    }

    modifier onlyOperator() {
        _checkOperator();
        _;
    }

    modifier onlyOperatorOrOwner() {
        _checkOperatorOrOwner();
        _;
    }

    modifier whenNotPaused() {
        _checkNotPaused();
        _;
    }

    /// @inheritdoc IResolverRoles
    function transferOwnership(address to) external onlyOwner {
        pendingOwner = _checked(to);
        emit OwnershipTransferStarted(owner, to);
    }

    /// @inheritdoc IResolverRoles
    function acceptOwnership() external {
        if (msg.sender != pendingOwner) revert NotOwner();
        emit OwnershipTransferred(owner, msg.sender);
        owner = msg.sender;
        delete pendingOwner;
    }

    /// @inheritdoc IResolverRoles
    function setOperator(address operator, bool allowed) external onlyOwner {
        isOperator[_checked(operator)] = allowed;
        emit OperatorSet(operator, allowed);
    }

    /// @inheritdoc IResolverRoles
    function pause() external onlyOperatorOrOwner {
        paused = true;
        emit Paused(msg.sender);
    }

    /// @inheritdoc IResolverRoles
    function unpause() external onlyOwner {
        paused = false;
        emit Unpaused();
    }

    /// @inheritdoc IResolverRoles
    function setTreasury(address to) external onlyOwner {
        pendingTreasury = _checked(to);
        treasuryReadyAt = uint64(block.timestamp + TREASURY_DELAY);
        emit TreasuryProposed(to, treasuryReadyAt);
    }

    /// @inheritdoc IResolverRoles
    function acceptTreasury() external onlyOwner {
        address next = pendingTreasury;
        if (next == address(0) || block.timestamp < treasuryReadyAt) revert TooEarly();
        treasury = next;
        delete pendingTreasury;
        delete treasuryReadyAt;
        emit TreasurySet(next);
    }

    function _checkOwner() private view {
        if (msg.sender != owner) revert NotOwner();
    }

    function _checkOperator() private view {
        if (!isOperator[msg.sender]) revert NotOperator();
    }

    function _checkOperatorOrOwner() private view {
        if (!isOperator[msg.sender] && msg.sender != owner) revert NotOperator();
    }

    function _checkNotPaused() private view {
        if (paused) revert IsPaused();
    }

    function _checked(address account) private view returns (address) {
        if (account == address(0) || account == address(this)) revert BadAddress();
        return account;
    }
}
