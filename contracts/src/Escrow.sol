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

    /// @inheritdoc IEscrow
    function rescueFunds(address token, uint256 amount, Immutables calldata immutables) external {
        _checkTaker(immutables);
        _checkImmutables(immutables);
        _checkFrom(immutables.timelocks.rescueStart(RESCUE_DELAY));
        TokenLib.send(token, msg.sender, amount);
        emit FundsRescued(token, amount);
    }

    function _checkTaker(Immutables calldata immutables) internal view {
        if (msg.sender != immutables.taker.get()) revert InvalidCaller();
    }

    function _checkHolder() internal view {
        if (TokenLib.balanceOf(ACCESS_TOKEN, msg.sender) == 0) revert InvalidCaller();
    }

    function _checkFrom(uint256 start) internal view {
        if (block.timestamp < start) revert InvalidTime();
    }

    function _checkUntil(uint256 end) internal view {
        if (block.timestamp >= end) revert InvalidTime();
    }

    function _checkImmutables(Immutables calldata immutables) internal view {
        if (CloneLib.addressOf(immutables.hash(), PROXY_BYTECODE_HASH, FACTORY) != address(this)) {
            revert InvalidImmutables();
        }
    }

    function _checkSecret(bytes32 secret, Immutables calldata immutables) internal pure {
        bytes32 digest;
        assembly ("memory-safe") {
            mstore(0x00, secret)
            digest := keccak256(0x00, 0x20)
        }
        if (digest != immutables.hashlock) revert InvalidSecret();
    }
}
