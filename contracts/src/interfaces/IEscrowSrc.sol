// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import { Immutables } from "../types/Immutables.sol";
import { IEscrow } from "./IEscrow.sol";

/// @title Holds the maker's tokens on the chain the maker pays on.
interface IEscrowSrc is IEscrow {
    /// @notice Pay out to `target` with the secret. Taker only; same window as `withdraw`.
    /// @param secret Preimage of the hashlock.
    /// @param target Who gets the tokens; the safety deposit goes to the caller.
    /// @param immutables The escrow's parameters.
    function withdrawTo(bytes32 secret, address target, Immutables calldata immutables) external;

    /// @notice Give the tokens back to the maker. Any holder of the access token; the caller gets the safety deposit.
    /// @param immutables The escrow's parameters.
    function publicCancel(Immutables calldata immutables) external;
}
