// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import { IEscrow } from "./interfaces/IEscrow.sol";
import { CloneLib } from "./libraries/CloneLib.sol";
import { TokenLib } from "./libraries/TokenLib.sol";
import { Immutables } from "./types/Immutables.sol";

/// @title What both escrows share: who they are, who may call, what a secret is.
abstract contract Escrow is IEscrow {
    /// @inheritdoc IEscrow
    uint256 public immutable RESCUE_DELAY;
    /// @inheritdoc IEscrow
    address public immutable FACTORY = msg.sender;
    /// @inheritdoc IEscrow
    bytes32 public immutable PROXY_BYTECODE_HASH = CloneLib.codeHash(address(this));

    address private immutable ACCESS_TOKEN;

    constructor(uint32 rescueDelay, address accessToken) {
        RESCUE_DELAY = rescueDelay;
        ACCESS_TOKEN = accessToken;
    }

    modifier onlyTaker(Immutables calldata immutables) {
        if (msg.sender != immutables.taker.get()) revert InvalidCaller();
        _;
    }

    modifier onlyHolder() {
        if (TokenLib.balanceOf(ACCESS_TOKEN, msg.sender) == 0) revert InvalidCaller();
        _;
    }

    modifier onlyFrom(uint256 start) {
        if (block.timestamp < start) revert InvalidTime();
        _;
    }

    modifier onlyUntil(uint256 end) {
        if (block.timestamp >= end) revert InvalidTime();
        _;
    }

    // `CloneLib.addressOf(immutables.hash(), …)` in one piece: every call pays for it.
    modifier onlyOwn(Immutables calldata immutables) {
        address factory = FACTORY;
        bytes32 cloneHash = PROXY_BYTECODE_HASH;
        uint256 difference;
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            calldatacopy(buffer, immutables, 0x100)
            let salt := keccak256(buffer, 0x100)
            mstore(buffer, factory)
            mstore8(add(buffer, 0x0b), 0xff)
            mstore(add(buffer, 0x20), salt)
            mstore(add(buffer, 0x40), cloneHash)
            // Only 160 bits of the hash are the address.
            difference := shl(0x60, xor(address(), keccak256(add(buffer, 0x0b), 0x55)))
        }
        if (difference != 0) revert InvalidImmutables();
        _;
    }

    modifier onlySecret(bytes32 secret, Immutables calldata immutables) {
        if (_hash(secret) != immutables.hashlock) revert InvalidSecret();
        _;
    }

    /// @inheritdoc IEscrow
    function rescueFunds(address token, uint256 amount, Immutables calldata immutables)
        external
        onlyTaker(immutables)
        onlyOwn(immutables)
        onlyFrom(immutables.timelocks.rescueStart(RESCUE_DELAY))
    {
        TokenLib.send(token, msg.sender, amount);
        emit FundsRescued(token, amount);
    }

    function _hash(bytes32 secret) private pure returns (bytes32 digest) {
        assembly ("memory-safe") {
            mstore(0x00, secret)
            digest := keccak256(0x00, 0x20)
        }
    }
}
