// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import { Escrow } from "./Escrow.sol";
import { IEscrow } from "./interfaces/IEscrow.sol";
import { IEscrowSrc } from "./interfaces/IEscrowSrc.sol";
import { TokenLib } from "./libraries/TokenLib.sol";
import { Immutables } from "./types/Immutables.sol";
import { Stage } from "./types/Timelocks.sol";

/// @title Source escrow: the maker's tokens, for the taker with the secret, or back to the maker after time.
contract EscrowSrc is Escrow, IEscrowSrc {
    constructor(uint32 rescueDelay, address accessToken) Escrow(rescueDelay, accessToken) { }

    /// @inheritdoc IEscrow
    function withdraw(bytes32 secret, Immutables calldata immutables)
        external
        onlyTaker(immutables)
        onlyFrom(immutables.timelocks.get(Stage.SrcWithdrawal))
    {
        _withdraw(secret, msg.sender, immutables);
    }

    /// @inheritdoc IEscrowSrc
    function withdrawTo(bytes32 secret, address target, Immutables calldata immutables)
        external
        onlyTaker(immutables)
        onlyFrom(immutables.timelocks.get(Stage.SrcWithdrawal))
    {
        _withdraw(secret, target, immutables);
    }

    /// @inheritdoc IEscrow
    function publicWithdraw(bytes32 secret, Immutables calldata immutables)
        external
        onlyHolder
        onlyFrom(immutables.timelocks.get(Stage.SrcPublicWithdrawal))
    {
        _withdraw(secret, immutables.taker.get(), immutables);
    }

    /// @inheritdoc IEscrow
    function cancel(Immutables calldata immutables)
        external
        onlyTaker(immutables)
        onlyFrom(immutables.timelocks.get(Stage.SrcCancellation))
    {
        _cancel(immutables);
    }

    /// @inheritdoc IEscrowSrc
    function publicCancel(Immutables calldata immutables)
        external
        onlyHolder
        onlyFrom(immutables.timelocks.get(Stage.SrcPublicCancellation))
    {
        _cancel(immutables);
    }

    function _withdraw(bytes32 secret, address target, Immutables calldata immutables)
        private
        onlyUntil(immutables.timelocks.get(Stage.SrcCancellation))
        onlyOwn(immutables)
        onlySecret(secret, immutables)
    {
        TokenLib.transfer(immutables.token.get(), target, immutables.amount);
        TokenLib.sendNative(msg.sender, immutables.safetyDeposit);
        emit EscrowWithdrawal(secret);
    }

    function _cancel(Immutables calldata immutables) private onlyOwn(immutables) {
        TokenLib.transfer(immutables.token.get(), immutables.maker.get(), immutables.amount);
        TokenLib.sendNative(msg.sender, immutables.safetyDeposit);
        emit EscrowCancelled();
    }
}
