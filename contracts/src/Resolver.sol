// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import { ResolverRoles } from "./ResolverRoles.sol";
import { IEscrow } from "./interfaces/IEscrow.sol";
import { IEscrowFactory } from "./interfaces/IEscrowFactory.sol";
import { ILimitOrderProtocol } from "./interfaces/ILimitOrderProtocol.sol";
import { IResolver } from "./interfaces/IResolver.sol";
import { CloneLib } from "./libraries/CloneLib.sol";
import { Bucket, Limit, LimitLib } from "./libraries/LimitLib.sol";
import { TokenLib } from "./libraries/TokenLib.sol";
import { Immutables } from "./types/Immutables.sol";
import { Order } from "./types/Order.sol";

/// @title The resolver's taker contract.
/// @dev There is no reentrancy lock: every entry but `withdrawDst` asks the sender for a role, the lock of a hashlock
/// is written before any outside call, and nothing is decided by a balance of this contract.
contract Resolver is IResolver, ResolverRoles {
    struct Lock {
        address escrow;
        uint64 at;
    }

    uint256 private constant ARGS_HAVE_TARGET = 1 << 251;
    /// @dev Gas kept back from each item of a batch, for its event and the rest of the loop.
    uint256 private constant BATCH_RESERVE = 10_000;

    /// @inheritdoc IResolver
    address public immutable LOP;
    /// @inheritdoc IResolver
    address public immutable FACTORY;
    bytes32 private immutable SRC_CLONE_HASH;
    bytes32 private immutable DST_CLONE_HASH;

    /// @inheritdoc IResolver
    mapping(bytes32 hashlock => Lock) public lockOf;
    /// @inheritdoc IResolver
    mapping(address token => Limit) public limits;
    mapping(address token => Bucket) private buckets;

    /// @param lop The limit order protocol.
    /// @param factory The escrow factory; refused unless it created its own implementations.
    /// @param owner_ The first owner.
    /// @param treasury_ Where swept funds go.
    constructor(address lop, address factory, address owner_, address treasury_) ResolverRoles(owner_, treasury_) {
        LOP = lop;
        FACTORY = factory;
        SRC_CLONE_HASH = _cloneHash(IEscrowFactory(factory).ESCROW_SRC_IMPLEMENTATION(), factory);
        DST_CLONE_HASH = _cloneHash(IEscrowFactory(factory).ESCROW_DST_IMPLEMENTATION(), factory);
    }

    /// @inheritdoc IResolver
    receive() external payable { }

    /// @inheritdoc IResolver
    function deploySrc(
        Immutables calldata i,
        Order calldata o,
        bytes32 r,
        bytes32 vs,
        uint256 amount,
        uint256 takerTraits,
        bytes calldata args,
        uint256 notAfter
    ) external onlyOperator whenNotPaused {
        if (block.timestamp > notAfter) revert Expired();
        _checkTaker(i);
        _take(address(0), i.safetyDeposit);
        Immutables memory born = i;
        address escrow = _bear(born, SRC_CLONE_HASH);
        // The factory wants the deposit there before the escrow is created, inside the fill.
        TokenLib.sendNative(escrow, born.safetyDeposit);
        (uint256 making,, bytes32 orderHash) = ILimitOrderProtocol(LOP)
            .fillOrderArgs(o, r, vs, amount, takerTraits | ARGS_HAVE_TARGET, abi.encodePacked(escrow, args));
        if (orderHash != born.orderHash || making != born.amount) revert FillMismatch();
        // An order may name another factory, or none: then the deposit would be lost.
        if (escrow.code.length == 0) revert EscrowMissing();
    }

    /// @inheritdoc IResolver
    function deployDst(Immutables calldata i, uint256 srcCancellation, uint256 margin, uint256 notAfter)
        external
        onlyOperator
        whenNotPaused
        returns (address escrow)
    {
        if (block.timestamp > notAfter) revert Expired();
        _checkTaker(i);
        if (i.maker.get() == address(0) || i.amount == 0) revert BadImmutables();
        if (margin < leastMargin) revert MarginTooSmall();
        Lock storage lock = lockOf[i.hashlock];
        if (lock.escrow != address(0)) revert AlreadyLocked(i.hashlock, lock.escrow);

        Immutables memory born = i;
        escrow = _bear(born, DST_CLONE_HASH);
        (lock.escrow, lock.at) = (escrow, uint64(block.timestamp));
        uint256 deadline = srcCancellation - margin;
        address token = born.token.get();
        if (token == address(0)) {
            uint256 value = born.safetyDeposit + born.amount;
            _take(address(0), value);
            IEscrowFactory(FACTORY).createDstEscrow{ value: value }(born, deadline);
        } else {
            _take(address(0), born.safetyDeposit);
            _take(token, born.amount);
            TokenLib.approve(token, FACTORY, born.amount);
            IEscrowFactory(FACTORY).createDstEscrow{ value: born.safetyDeposit }(born, deadline);
            if (TokenLib.balanceOf(token, escrow) < born.amount) revert ShortTransfer();
            if (TokenLib.allowance(token, address(this), FACTORY) != 0) revert AllowanceLeft();
        }
        if (escrow.code.length == 0) revert EscrowMissing();
        emit DstLocked(born.hashlock, escrow, born);
    }

    /// @inheritdoc IResolver
    function withdrawDst(bytes32 secret, Immutables calldata i) external {
        _escrow(i, DST_CLONE_HASH).withdraw(secret, i);
    }

    /// @inheritdoc IResolver
    function withdrawSrc(bytes32 secret, Immutables calldata i) external onlyOperator {
        _escrow(i, SRC_CLONE_HASH).withdraw(secret, i);
    }

    /// @inheritdoc IResolver
    function cancelDst(Immutables calldata i) external onlyOperator {
        _escrow(i, DST_CLONE_HASH).cancel(i);
    }

    /// @inheritdoc IResolver
    function cancelSrc(Immutables calldata i) external onlyOperator {
        _escrow(i, SRC_CLONE_HASH).cancel(i);
    }

    /// @inheritdoc IResolver
    function tryBatch(bytes[] calldata calls, uint256[] calldata gasLimits)
        external
        onlyOperator
        returns (bool[] memory done)
    {
        if (calls.length != gasLimits.length) revert LengthMismatch();
        done = new bool[](calls.length);
        for (uint256 n = 0; n < calls.length; ++n) {
            bytes4 selector = bytes4(calls[n]);
            if (!_isBatchable(selector)) revert SelectorNotAllowed(selector);
            bytes4 reason;
            (done[n], reason) = _runItem(calls[n], gasLimits[n], n);
            if (!done[n]) emit ItemFailed(n, reason);
        }
    }

    /// @inheritdoc IResolver
    function sweep(address token, uint256 amount) external onlyOperatorOrOwner {
        TokenLib.send(token, treasury, amount);
        emit Swept(token, amount);
    }

    /// @inheritdoc IResolver
    function rescue(bool src, Immutables calldata i, address token, uint256 amount) external onlyOwner {
        IEscrow escrow = _escrow(i, src ? SRC_CLONE_HASH : DST_CLONE_HASH);
        escrow.rescueFunds(token, amount, i);
        emit Rescued(address(escrow), token, amount);
    }

    /// @inheritdoc IResolver
    function setLimit(address token, uint128 perLock, uint128 perHour) external onlyOwner {
        limits[token] = Limit({ perLock: perLock, perHour: perHour });
        emit LimitSet(token, perLock, perHour);
    }

    /// @inheritdoc IResolver
    function setMinMargin(uint32 margin) external onlyOwner {
        leastMargin = margin;
        emit MinMarginSet(margin);
    }

    /// @inheritdoc IResolver
    function minMargin() external view returns (uint32) {
        return leastMargin;
    }

    /// @inheritdoc IResolver
    function escrowOf(bool src, Immutables calldata i) external view returns (address) {
        return CloneLib.addressOf(i.hash(), src ? SRC_CLONE_HASH : DST_CLONE_HASH, FACTORY);
    }

    /// @dev Set the birth time and return the address that follows from it.
    function _bear(Immutables memory i, bytes32 cloneHash) private view returns (address) {
        i.timelocks = i.timelocks.setDeployedAt(block.timestamp);
        return CloneLib.addressOf(i.hashMem(), cloneHash, FACTORY);
    }

    /// @dev The existing escrow of these immutables, with us as taker.
    function _escrow(Immutables calldata i, bytes32 cloneHash) private view returns (IEscrow) {
        _checkTaker(i);
        address escrow = CloneLib.addressOf(i.hash(), cloneHash, FACTORY);
        if (escrow.code.length == 0) revert EscrowMissing();
        return IEscrow(escrow);
    }

    function _checkTaker(Immutables calldata i) private view {
        if (i.taker.get() != address(this)) revert TakerNotSelf();
    }

    function _take(address token, uint256 amount) private {
        if (amount != 0 && !LimitLib.take(limits[token], buckets, token, amount)) revert LimitExceeded();
    }

    /// @dev Runs as the same sender, so the roles of the item are those of the batch.
    function _runItem(bytes calldata item, uint256 gasLimit, uint256 index) private returns (bool ok, bytes4 reason) {
        uint256 needed = gasLimit + BATCH_RESERVE;
        bool isShort;
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            calldatacopy(buffer, item.offset, item.length)
            // A call gets at most 63/64 of what is left, without saying so.
            isShort := lt(div(mul(gas(), 63), 64), needed)
            if iszero(isShort) {
                mstore(0x00, 0)
                ok := delegatecall(gasLimit, address(), buffer, item.length, 0x00, 0x04)
                if gt(returndatasize(), 3) { reason := mload(0x00) }
            }
        }
        if (isShort) revert OutOfGasBudget(index);
    }

    function _isBatchable(bytes4 selector) private pure returns (bool) {
        return selector == this.deploySrc.selector || selector == this.deployDst.selector
            || selector == this.withdrawDst.selector || selector == this.withdrawSrc.selector
            || selector == this.cancelDst.selector || selector == this.cancelSrc.selector;
    }

    function _cloneHash(address implementation, address factory) private view returns (bytes32) {
        if (IEscrow(implementation).FACTORY() != factory) revert FactoryMismatch();
        return IEscrow(implementation).PROXY_BYTECODE_HASH();
    }
}
