// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import { Immutables } from "../types/Immutables.sol";
import { Order } from "../types/Order.sol";
import { IResolverRoles } from "./IResolverRoles.sol";

/// @title The resolver's taker: fills on the source chain, locks on the destination chain, settles on both.
/// @notice No call takes an escrow address: addresses are computed from the immutables, whose taker must be this
/// contract. Deposits and amounts come out of this contract's balance. There is no arbitrary call.
interface IResolver is IResolverRoles {
    /// @notice Our tokens are locked. Holds all that is needed to settle after a loss of every other record.
    /// @param hashlock keccak256 of the secret.
    /// @param escrow The destination escrow.
    /// @param immutables Its parameters, with the real `deployedAt`.
    event DstLocked(bytes32 indexed hashlock, address indexed escrow, Immutables immutables);

    /// @notice One item of a batch failed and was undone.
    /// @param index Its position.
    /// @param reason First four bytes of its revert data; zero if there were fewer.
    event ItemFailed(uint256 index, bytes4 reason);

    /// @notice Funds went to the treasury. Token zero is native coin.
    event Swept(address indexed token, uint256 amount);

    /// @notice Funds of an escrow were taken after its rescue delay. Token zero is native coin.
    event Rescued(address indexed escrow, address indexed token, uint256 amount);

    /// @notice New limits of a token; zero is native coin.
    event LimitSet(address indexed token, uint128 perLock, uint128 perHour);

    /// @notice New least margin, in seconds.
    event MinMarginSet(uint32 margin);

    /// @notice `notAfter` has passed.
    error Expired();

    /// @notice The taker of the immutables is not this contract.
    error TakerNotSelf();

    /// @notice The order filled, or the amount, is not the one of the immutables.
    error FillMismatch();

    /// @notice There is no escrow at the address of the immutables.
    error EscrowMissing();

    /// @notice Maker or amount is zero.
    error BadImmutables();

    /// @notice The margin is below the owner's minimum.
    error MarginTooSmall();

    /// @notice This hashlock was locked before, at `escrow`.
    error AlreadyLocked(bytes32 hashlock, address escrow);

    /// @notice The amount is above the limit per lock, or would bring the hour above its limit.
    error LimitExceeded();

    /// @notice The escrow got less than its amount.
    error ShortTransfer();

    /// @notice The factory could take more tokens after the lock.
    error AllowanceLeft();

    /// @notice Too little gas is left for the item of a batch; the whole batch is undone.
    error OutOfGasBudget(uint256 index);

    /// @notice This function may not be called in a batch.
    error SelectorNotAllowed(bytes4 selector);

    /// @notice Calls and gas limits differ in number.
    error LengthMismatch();

    /// @notice The factory is not the creator of its escrow implementations.
    error FactoryMismatch();

    /// @notice Fill an order and fund its source escrow, in one transaction. Operator only, not while paused.
    /// @param i Source immutables; `deployedAt` is set here.
    /// @param o The order.
    /// @param r Maker's signature.
    /// @param vs Maker's signature.
    /// @param amount Amount of the fill, as for the order protocol.
    /// @param takerTraits As for the order protocol; the target bit is set here.
    /// @param args `extension || interaction`, without a target.
    /// @param notAfter Last second at which this may be mined.
    function deploySrc(
        Immutables calldata i,
        Order calldata o,
        bytes32 r,
        bytes32 vs,
        uint256 amount,
        uint256 takerTraits,
        bytes calldata args,
        uint256 notAfter
    ) external;

    /// @notice Lock our tokens for the maker, once per hashlock. Operator only, not while paused.
    /// @param i Destination immutables; `deployedAt` is set here.
    /// @param srcCancellation Second at which the source escrow can be cancelled.
    /// @param margin Seconds by which this escrow must become cancellable earlier.
    /// @param notAfter Last second at which this may be mined.
    /// @return escrow The destination escrow.
    function deployDst(Immutables calldata i, uint256 srcCancellation, uint256 margin, uint256 notAfter)
        external
        returns (address escrow);

    /// @notice Pay the maker with the secret. Anybody; the deposit returns to this contract.
    /// @param secret Preimage of the hashlock.
    /// @param i Destination immutables.
    function withdrawDst(bytes32 secret, Immutables calldata i) external;

    /// @notice Take the maker's tokens with the secret. Operator only.
    /// @param secret Preimage of the hashlock.
    /// @param i Source immutables.
    function withdrawSrc(bytes32 secret, Immutables calldata i) external;

    /// @notice Take our tokens back. Operator only.
    /// @param i Destination immutables.
    function cancelDst(Immutables calldata i) external;

    /// @notice Give the maker's tokens back. Operator only.
    /// @param i Source immutables.
    function cancelSrc(Immutables calldata i) external;

    /// @notice Run several of the six calls above; a failing one undoes only itself. Operator only.
    /// @param calls Calldata of each.
    /// @param gasLimits Gas for each. If the gas left cannot give an item its share, the whole batch reverts.
    /// @return done Whether each succeeded.
    function tryBatch(bytes[] calldata calls, uint256[] calldata gasLimits) external returns (bool[] memory done);

    /// @notice Send funds to the treasury. Operator or owner.
    /// @param token Token; zero is native coin.
    /// @param amount In its smallest unit.
    function sweep(address token, uint256 amount) external;

    /// @notice Take funds out of an escrow after its rescue delay. Owner only: on the source chain this is the
    /// maker's money unless the destination was paid.
    /// @param src Which side.
    /// @param i The escrow's immutables.
    /// @param token Token; zero is native coin.
    /// @param amount In its smallest unit.
    function rescue(bool src, Immutables calldata i, address token, uint256 amount) external;

    /// @notice Set the limits of a token; zero is native coin, whose limits also cover deposits. Owner only.
    /// @param token Token.
    /// @param perLock Most for one fill or lock; zero refuses the token.
    /// @param perHour Most in an hour, refilled evenly; zero is no such limit.
    function setLimit(address token, uint128 perLock, uint128 perHour) external;

    /// @notice Set the least margin a lock may have. Owner only.
    /// @param margin Seconds.
    function setMinMargin(uint32 margin) external;

    /// @notice Accept native coin from anybody, always.
    receive() external payable;

    /// @notice The limit order protocol.
    function LOP() external view returns (address);

    /// @notice The escrow factory.
    function FACTORY() external view returns (address);

    /// @notice The lock of a hashlock: its escrow and the second of the lock. Zero if it was never locked.
    function lockOf(bytes32 hashlock) external view returns (address escrow, uint64 at);

    /// @notice The limits of a token.
    function limits(address token) external view returns (uint128 perLock, uint128 perHour);

    /// @notice Least margin of a lock, in seconds.
    function minMargin() external view returns (uint32);

    /// @notice Address of the escrow with these immutables.
    /// @param src Which side.
    /// @param i Its immutables, with `deployedAt`.
    function escrowOf(bool src, Immutables calldata i) external view returns (address);
}
