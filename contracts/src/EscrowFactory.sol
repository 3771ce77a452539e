// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import { EscrowDst } from "./EscrowDst.sol";
import { EscrowSrc } from "./EscrowSrc.sol";
import { OrderAuction } from "./OrderAuction.sol";
import { PartialFills } from "./PartialFills.sol";
import { ResolverGate } from "./ResolverGate.sol";
import { IEscrowFactory } from "./interfaces/IEscrowFactory.sol";
import { IOrderExtension } from "./interfaces/IOrderExtension.sol";
import { CloneLib } from "./libraries/CloneLib.sol";
import { PartialFillLib } from "./libraries/PartialFillLib.sol";
import { TokenLib } from "./libraries/TokenLib.sol";
import { Address } from "./types/Address.sol";
import { Immutables } from "./types/Immutables.sol";
import { Order } from "./types/Order.sol";
import { Stage, Timelocks } from "./types/Timelocks.sol";

/// @title Creates the escrows of one chain.
/// @dev Its own constructor creates both implementations, because an implementation trusts its creator for ever.
contract EscrowFactory is IEscrowFactory, OrderAuction, PartialFills, ResolverGate {
    /// @dev The words of `SrcEscrowCreated` in a row; the first eight are the immutables.
    struct SrcCreation {
        bytes32 orderHash;
        bytes32 hashlock;
        Address maker;
        Address taker;
        Address token;
        uint256 amount;
        uint256 safetyDeposit;
        Timelocks timelocks;
        Address receiver;
        uint256 dstAmount;
        Address dstToken;
        uint256 dstSafetyDeposit;
        uint256 dstChainId;
    }

    uint256 private constant EXTRA_DATA_SIZE = 160;
    uint256 private constant TARGET_SIZE = 20;
    uint256 private constant ALLOW_MULTIPLE_FILLS = 1 << 254;

    /// @inheritdoc IEscrowFactory
    address public immutable ESCROW_SRC_IMPLEMENTATION;
    /// @inheritdoc IEscrowFactory
    address public immutable ESCROW_DST_IMPLEMENTATION;

    bytes32 private immutable SRC_CLONE_HASH;
    bytes32 private immutable DST_CLONE_HASH;
    address private immutable LIMIT_ORDER_PROTOCOL;

    /// @param limitOrderProtocol The only caller of the order interactions.
    /// @param accessToken Holders may fill orders without being listed and finish stuck escrows.
    /// @param rescueDelaySrc Seconds from creation to rescue of source escrows.
    /// @param rescueDelayDst Seconds from creation to rescue of destination escrows.
    /// @dev The second and fourth arguments (fee token and fee bank owner of the reference) are accepted and unused.
    constructor(
        address limitOrderProtocol,
        address, /* feeToken */
        address accessToken,
        address, /* owner */
        uint32 rescueDelaySrc,
        uint32 rescueDelayDst
    ) PartialFills(limitOrderProtocol) ResolverGate(accessToken) {
        LIMIT_ORDER_PROTOCOL = limitOrderProtocol;
        ESCROW_SRC_IMPLEMENTATION = address(new EscrowSrc(rescueDelaySrc, accessToken));
        ESCROW_DST_IMPLEMENTATION = address(new EscrowDst(rescueDelayDst, accessToken));
        SRC_CLONE_HASH = CloneLib.codeHash(ESCROW_SRC_IMPLEMENTATION);
        DST_CLONE_HASH = CloneLib.codeHash(ESCROW_DST_IMPLEMENTATION);
    }

    modifier onlyLimitOrderProtocol() {
        if (msg.sender != LIMIT_ORDER_PROTOCOL) revert OnlyLimitOrderProtocol();
        _;
    }

    /// @inheritdoc IOrderExtension
    function postInteraction(
        Order calldata order,
        bytes calldata extension,
        bytes32 orderHash,
        address taker,
        uint256 makingAmount,
        uint256 takingAmount,
        uint256 remainingMakingAmount,
        bytes calldata extraData
    ) external onlyLimitOrderProtocol {
        uint256 gateSize = extraData.length - EXTRA_DATA_SIZE;
        bytes calldata chained = _checkTakerMayFill(order, taker, makingAmount, extraData[:gateSize]);
        if (chained.length >= TARGET_SIZE) {
            IOrderExtension(address(bytes20(chained)))
                .postInteraction(
                    order,
                    extension,
                    orderHash,
                    taker,
                    makingAmount,
                    takingAmount,
                    remainingMakingAmount,
                    chained[TARGET_SIZE:]
                );
        }
        ExtraDataArgs calldata args;
        assembly ("memory-safe") {
            args := add(extraData.offset, gateSize)
        }
        bytes32 hashlock = args.hashlockInfo;
        if (order.makerTraits & ALLOW_MULTIPLE_FILLS != 0) {
            hashlock = _partHashlock(hashlock, orderHash, makingAmount, remainingMakingAmount, order.makingAmount);
        }
        _createSrcEscrow(order, args, orderHash, hashlock, taker, makingAmount, takingAmount);
    }

    /// @inheritdoc IOrderExtension
    function preInteraction(Order calldata, bytes calldata, bytes32, address, uint256, uint256, uint256, bytes calldata)
        external
        view
        onlyLimitOrderProtocol
    { }

    /// @inheritdoc IEscrowFactory
    function createDstEscrow(Immutables calldata dstImmutables, uint256 srcCancellationTimestamp) external payable {
        address token = dstImmutables.token.get();
        uint256 value = dstImmutables.safetyDeposit;
        if (token == address(0)) value += dstImmutables.amount;
        if (msg.value != value) revert InsufficientEscrowBalance();

        Timelocks timelocks = dstImmutables.timelocks.setDeployedAt(block.timestamp);
        if (timelocks.get(Stage.DstCancellation) > srcCancellationTimestamp) revert InvalidCreationTime();

        address escrow = CloneLib.deploy(ESCROW_DST_IMPLEMENTATION, dstImmutables.hashWith(timelocks), value);
        if (token != address(0)) TokenLib.transferFrom(token, msg.sender, escrow, dstImmutables.amount);
        emit DstEscrowCreated(escrow, dstImmutables.hashlock, dstImmutables.taker);
    }

    /// @inheritdoc IEscrowFactory
    function addressOfEscrowSrc(Immutables calldata immutables) external view returns (address) {
        return CloneLib.addressOf(immutables.hash(), SRC_CLONE_HASH, address(this));
    }

    /// @inheritdoc IEscrowFactory
    function addressOfEscrowDst(Immutables calldata immutables) external view returns (address) {
        return CloneLib.addressOf(immutables.hash(), DST_CLONE_HASH, address(this));
    }

    function _createSrcEscrow(
        Order calldata order,
        ExtraDataArgs calldata args,
        bytes32 orderHash,
        bytes32 hashlock,
        address taker,
        uint256 makingAmount,
        uint256 takingAmount
    ) private {
        uint256 safetyDeposit = args.deposits >> 128;
        bytes32 salt = _announce(
            SrcCreation({
                orderHash: orderHash,
                hashlock: hashlock,
                maker: order.maker,
                taker: Address.wrap(uint160(taker)),
                token: order.makerAsset,
                amount: makingAmount,
                safetyDeposit: safetyDeposit,
                timelocks: args.timelocks.setDeployedAt(block.timestamp),
                receiver: order.receiver.get() == address(0) ? order.maker : order.receiver,
                dstAmount: takingAmount,
                dstToken: args.dstToken,
                dstSafetyDeposit: uint128(args.deposits),
                dstChainId: args.dstChainId
            })
        );
        address escrow = CloneLib.deploy(ESCROW_SRC_IMPLEMENTATION, salt, 0);
        if (escrow.balance < safetyDeposit || TokenLib.balanceOf(order.makerAsset.get(), escrow) < makingAmount) {
            revert InsufficientEscrowBalance();
        }
    }

    /// @dev Emit `SrcEscrowCreated` and hash the immutables, both from the same words.
    function _announce(SrcCreation memory creation) private returns (bytes32 salt) {
        bytes32 topic = SrcEscrowCreated.selector;
        assembly ("memory-safe") {
            log1(creation, 0x1a0, topic)
            salt := keccak256(creation, 0x100)
        }
    }

    function _partHashlock(
        bytes32 hashlockInfo,
        bytes32 orderHash,
        uint256 makingAmount,
        uint256 remainingMakingAmount,
        uint256 orderMakingAmount
    ) private view returns (bytes32) {
        uint256 parts = uint256(hashlockInfo) >> 240;
        if (parts < 2) revert InvalidSecretsAmount();
        ValidationData storage proven = lastValidated[PartialFillLib.keyOf(orderHash, hashlockInfo)];
        if (!PartialFillLib.isValid(makingAmount, remainingMakingAmount, orderMakingAmount, parts, proven.index)) {
            revert InvalidPartialFill();
        }
        return proven.leaf;
    }
}
