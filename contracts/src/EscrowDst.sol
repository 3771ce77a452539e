// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import { Escrow } from "./Escrow.sol";
import { IEscrow } from "./interfaces/IEscrow.sol";
import { IEscrowDst } from "./interfaces/IEscrowDst.sol";
import { TokenLib } from "./libraries/TokenLib.sol";
import { Immutables } from "./types/Immutables.sol";
import { Stage } from "./types/Timelocks.sol";

/// @title Destination escrow: the taker's tokens, for the maker with the secret, or back to the taker after time.
contract EscrowDst is Escrow, IEscrowDst {
    constructor(uint32 rescueDelay, address accessToken) Escrow(rescueDelay, accessToken) { }

    /// @inheritdoc IEscrow
    function withdraw(bytes32 secret, Immutables calldata immutables)
        external
        onlyTaker(immutables)
        onlyFrom(immutables.timelocks.get(Stage.DstWithdrawal))
    {
        _withdraw(secret, immutables);
    }

    /// @inheritdoc IEscrow
    function publicWithdraw(bytes32 secret, Immutables calldata immutables)
        external
        onlyHolder
        onlyFrom(immutables.timelocks.get(Stage.DstPublicWithdrawal))
    {
        _withdraw(secret, immutables);
    }

    /// @inheritdoc IEscrow
    function cancel(Immutables calldata immutables)
        external
        onlyTaker(immutables)
        onlyOwn(immutables)
        onlyFrom(immutables.timelocks.get(Stage.DstCancellation))
    {
        TokenLib.send(immutables.token.get(), immutables.taker.get(), immutables.amount);
        TokenLib.sendNative(msg.sender, immutables.safetyDeposit);
        emit EscrowCancelled();
    }

    function _withdraw(bytes32 secret, Immutables calldata immutables)
        private
        onlyUntil(immutables.timelocks.get(Stage.DstCancellation))
        onlyOwn(immutables)
        onlySecret(secret, immutables)
    {
        TokenLib.send(immutables.token.get(), immutables.maker.get(), immutables.amount);
        TokenLib.sendNative(msg.sender, immutables.safetyDeposit);
        emit EscrowWithdrawal(secret);
    }
}
