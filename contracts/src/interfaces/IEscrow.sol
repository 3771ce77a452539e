// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import { Immutables } from "../types/Immutables.sol";

/// @title What both escrows do.
/// @notice An escrow keeps no storage. Every call brings the immutables; they are right if the escrow's own address
/// derives from their hash. Windows include their first second and exclude their last; times are those of this chain.
interface IEscrow {
    /// @notice The tokens were paid out.
    /// @param secret The preimage of the hashlock, public from now on.
    event EscrowWithdrawal(bytes32 secret);

    /// @notice The tokens went back to whoever funded the escrow.
    event EscrowCancelled();

    /// @notice The taker took what was left after the rescue delay.
    /// @param token Token; zero is native coin.
    /// @param amount In the token's smallest unit.
    event FundsRescued(address token, uint256 amount);

    /// @notice The caller is not the taker, or holds no access token in a public call.
    error InvalidCaller();

    /// @notice This escrow's address does not derive from the given immutables.
    error InvalidImmutables();

    /// @notice keccak256 of the secret is not the hashlock.
    error InvalidSecret();

    /// @notice The call is outside its window.
    error InvalidTime();

    /// @notice Pay out with the secret. Taker only.
    /// @param secret Preimage of the hashlock.
    /// @param immutables The escrow's parameters.
    function withdraw(bytes32 secret, Immutables calldata immutables) external;

    /// @notice Pay out with the secret. Any holder of the access token; the caller gets the safety deposit.
    /// @param secret Preimage of the hashlock.
    /// @param immutables The escrow's parameters.
    function publicWithdraw(bytes32 secret, Immutables calldata immutables) external;

    /// @notice Give the tokens back: source to the maker, destination to the taker. Taker only.
    /// @param immutables The escrow's parameters.
    function cancel(Immutables calldata immutables) external;

    /// @notice Take anything from the escrow once the rescue delay is over. Taker only.
    /// @param token Token; zero is native coin.
    /// @param amount In the token's smallest unit.
    /// @param immutables The escrow's parameters.
    function rescueFunds(address token, uint256 amount, Immutables calldata immutables) external;

    /// @notice Seconds after deployment from which `rescueFunds` is open.
    function RESCUE_DELAY() external view returns (uint256);

    /// @notice Who created the implementation, and alone can create escrows from it.
    function FACTORY() external view returns (address);

    /// @notice Hash of the creation code of this implementation's clones.
    function PROXY_BYTECODE_HASH() external view returns (bytes32);
}
