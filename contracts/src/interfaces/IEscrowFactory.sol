// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import { Address } from "../types/Address.sol";
import { Immutables } from "../types/Immutables.sol";
import { Timelocks } from "../types/Timelocks.sol";
import { IOrderExtension } from "./IOrderExtension.sol";
import { IPartialFills } from "./IPartialFills.sol";
import { IResolverGate } from "./IResolverGate.sol";

/// @title Creates the escrows of one chain.
/// @notice Source escrows are created inside a fill of the order protocol, destination escrows by anybody who pays.
interface IEscrowFactory is IOrderExtension, IPartialFills, IResolverGate {
    /// @notice The last 160 bytes of an order's post-interaction field.
    struct ExtraDataArgs {
        bytes32 hashlockInfo; // keccak256 of the secret, or parts << 240 | low 240 bits of the Merkle root
        uint256 dstChainId;
        Address dstToken; // zero = native coin
        uint256 deposits; // wei: source in the high 128 bits, destination in the low 128 bits
        Timelocks timelocks; // `deployedAt` is ignored
    }

    /// @notice What turns source immutables into destination immutables.
    struct DstImmutablesComplement {
        Address maker; // who is paid: the order's receiver, or the maker
        uint256 amount; // in the destination token's smallest unit
        Address token; // zero = native coin
        uint256 safetyDeposit; // wei
        uint256 chainId;
    }

    /// @notice A source escrow was created and is funded.
    /// @param srcImmutables Its parameters; its address derives from their hash.
    /// @param dstImmutablesComplement What the destination escrow must have instead.
    event SrcEscrowCreated(Immutables srcImmutables, DstImmutablesComplement dstImmutablesComplement);

    /// @notice A destination escrow was created and is funded.
    /// @param escrow Its address.
    /// @param hashlock keccak256 of the secret.
    /// @param taker Who may cancel it.
    event DstEscrowCreated(address escrow, bytes32 hashlock, Address taker);

    /// @notice The value sent is not what the escrow needs, or the source escrow lacks tokens or deposit.
    error InsufficientEscrowBalance();

    /// @notice The destination escrow could be cancelled only after the source escrow.
    error InvalidCreationTime();

    /// @notice The proven secret is not the one this part of the order must use.
    error InvalidPartialFill();

    /// @notice An order that may be filled in parts names fewer than two parts.
    error InvalidSecretsAmount();

    /// @notice Create and fund a destination escrow. Anybody; nothing about the taker or the times is verified.
    /// @param dstImmutables Its parameters; `deployedAt` is set here. The caller's allowance pays the tokens and the
    /// value sent must be exactly the deposit, plus the amount if the token is native coin.
    /// @param srcCancellationTimestamp Latest second at which this escrow's cancellation may open.
    function createDstEscrow(Immutables calldata dstImmutables, uint256 srcCancellationTimestamp) external payable;

    /// @notice Address of the source escrow with these parameters.
    /// @param immutables Its parameters, with `deployedAt`.
    /// @return Its address, whether it exists or not.
    function addressOfEscrowSrc(Immutables calldata immutables) external view returns (address);

    /// @notice Address of the destination escrow with these parameters.
    /// @param immutables Its parameters, with `deployedAt`.
    /// @return Its address, whether it exists or not.
    function addressOfEscrowDst(Immutables calldata immutables) external view returns (address);

    /// @notice What source escrows are clones of.
    function ESCROW_SRC_IMPLEMENTATION() external view returns (address);

    /// @notice What destination escrows are clones of.
    function ESCROW_DST_IMPLEMENTATION() external view returns (address);
}
