// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import { IEscrowFactory } from "../src/interfaces/IEscrowFactory.sol";
import { IOrderExtension } from "../src/interfaces/IOrderExtension.sol";
import { IPartialFills } from "../src/interfaces/IPartialFills.sol";
import { IResolverGate } from "../src/interfaces/IResolverGate.sol";
import { Order } from "../src/types/Order.sol";
import { Orders } from "./support/Orders.sol";
import { SecretTree } from "./support/SecretTree.sol";

/// @title A post-interaction that an order chains behind the list.
contract Chained {
    bytes public seen;

    function postInteraction(
        Order calldata,
        bytes calldata,
        bytes32,
        address,
        uint256,
        uint256,
        uint256,
        bytes calldata extraData
    ) external {
        seen = extraData;
    }
}

/// @title Creating source escrows inside fills of the real order protocol.
contract FactorySrcTest is Orders {
    using SecretTree for SecretTree.Tree;

    function test_fill_createsFundedEscrowAndAnnounces() public {
        Fill memory fill = plainFill(TAKER, 0);
        address escrow = srcEscrow(fill);
        vm.expectEmit(address(factory));
        emit IEscrowFactory.SrcEscrowCreated(fill.immutables, _complement(MAKER, TAKING));
        fillAs(TAKER, fill);
        assertEq(token.balanceOf(escrow), MAKING);
        assertGt(escrow.code.length, 0);
    }

    function test_fill_namesReceiverInTheComplement() public {
        Fill memory fill = plainFill(TAKER, 0);
        fill.order.receiver = word(OUTSIDER);
        sign(fill);
        vm.expectEmit(address(factory));
        emit IEscrowFactory.SrcEscrowCreated(fill.immutables, _complement(OUTSIDER, TAKING));
        fillAs(TAKER, fill);
    }

    function test_fill_revertsWithoutDeposit() public {
        Fill memory fill = plainFill(TAKER, 0);
        vm.deal(srcEscrow(fill), DEPOSIT - 1);
        vm.expectRevert(IEscrowFactory.InsufficientEscrowBalance.selector);
        this.fill_(TAKER, fill);
    }

    function test_fill_revertsOneSecondLater() public {
        Fill memory fill = plainFill(TAKER, 0);
        vm.deal(srcEscrow(fill), DEPOSIT);
        skip(1);
        vm.expectRevert(IEscrowFactory.InsufficientEscrowBalance.selector);
        this.fill_(TAKER, fill);
    }

    function test_fill_revertsWhenTokensGoElsewhere() public {
        Fill memory fill = plainFill(TAKER, 0);
        vm.deal(srcEscrow(fill), DEPOSIT);
        fill.immutables.amount += 1;
        vm.expectRevert(IEscrowFactory.InsufficientEscrowBalance.selector);
        this.fill_(TAKER, fill);
    }

    function test_gate_letsAccessTokenHolderFill() public {
        fillAs(HOLDER, _fillFor(HOLDER, _gate(OUTSIDER, 0, 0)));
    }

    function test_gate_refusesStranger() public {
        _refused(OUTSIDER, _gate(TAKER, 0, 0), IResolverGate.ResolverCanNotFillOrder.selector);
    }

    function test_gate_opensForListedTakerAtItsSecond() public {
        bytes memory gate = _gate(TAKER, 0, 120);
        skip(119);
        _refused(TAKER, gate, IResolverGate.ResolverCanNotFillOrder.selector);
        skip(1);
        fillAs(TAKER, _fillFor(TAKER, gate));
    }

    function test_gate_opensForHolderAtTheStart() public {
        bytes memory gate = _gate(OUTSIDER, 10, 0);
        skip(9);
        _refused(HOLDER, gate, IResolverGate.ResolverCanNotFillOrder.selector);
        skip(1);
        fillAs(HOLDER, _fillFor(HOLDER, gate));
    }

    function test_gate_addsDelaysAndStopsAtAFutureEntry() public {
        uint32 start = uint32(vm.getBlockTimestamp());
        bytes memory gate = abi.encodePacked(
            start, uint80(uint160(OUTSIDER)), uint16(10), uint80(uint160(TAKER)), uint16(5), uint8(2 << 3)
        );
        skip(14);
        _refused(TAKER, gate, IResolverGate.ResolverCanNotFillOrder.selector);
        skip(1);
        fillAs(TAKER, _fillFor(TAKER, gate));
    }

    function test_fee_isNotOwedByListedTaker() public {
        fillAs(TAKER, _fillFor(TAKER, _feeGate(1)));
    }

    function test_fee_revertsForHolderWithoutCredit() public {
        _refused(HOLDER, _feeGate(1), IResolverGate.NotEnoughCredit.selector);
    }

    function test_fee_ofZeroIsNotOwed() public {
        fillAs(HOLDER, _fillFor(HOLDER, _feeGate(0)));
    }

    function test_chainedInteraction_getsWhatLiesBetweenListAndFlags() public {
        Chained chained = new Chained();
        bytes memory gate = abi.encodePacked(
            uint32(vm.getBlockTimestamp()),
            uint80(uint160(TAKER)),
            uint16(0),
            address(chained),
            hex"c0de",
            uint8(1 << 3)
        );
        fillAs(TAKER, _fillFor(TAKER, gate));
        assertEq(chained.seen(), hex"c0de");
    }

    function test_interactions_areForTheOrderProtocolOnly(address caller) public {
        vm.assume(caller != lop());
        Fill memory fill = plainFill(TAKER, 0);
        vm.startPrank(caller);
        vm.expectRevert(IOrderExtension.OnlyLimitOrderProtocol.selector);
        factory.postInteraction(fill.order, fill.extension, 0, TAKER, MAKING, TAKING, MAKING, "");
        vm.expectRevert(IOrderExtension.OnlyLimitOrderProtocol.selector);
        factory.preInteraction(fill.order, fill.extension, 0, TAKER, MAKING, TAKING, MAKING, "");
        vm.expectRevert(IPartialFills.AccessDenied.selector);
        factory.takerInteraction(fill.order, fill.extension, 0, TAKER, MAKING, TAKING, MAKING, "");
        vm.stopPrank();
    }

    function test_parts_refuseFewerThanTwo() public {
        Fill memory fill = _part(SecretTree.grow(1, "one"), MAKING, 1);
        vm.expectRevert(IEscrowFactory.InvalidSecretsAmount.selector);
        this.fill_(TAKER, fill);
    }

    function test_parts_refuseForeignProof() public {
        SecretTree.Tree memory tree = SecretTree.grow(4, "ours");
        Fill memory fill = _part(tree, MAKING / 4, 0);
        fill.interaction = SecretTree.grow(4, "theirs").interaction(address(factory), 0);
        fill.takerTraits = takerTraits(fill);
        vm.expectRevert(IPartialFills.InvalidProof.selector);
        this.fill_(TAKER, fill);
    }

    function test_parts_refuseFillWithoutProof() public {
        Fill memory fill = _part(SecretTree.grow(4, "ours"), MAKING / 4, 0);
        fill.interaction = "";
        fill.takerTraits = takerTraits(fill);
        vm.expectRevert(IEscrowFactory.InvalidPartialFill.selector);
        this.fill_(TAKER, fill);
    }

    /// @dev A first fill must use the secret of the part in which it ends; the completing one uses the last.
    function test_parts_firstFillUsesTheSecretOfItsPart(uint256 making, uint8 parts, uint8 index) public {
        making = bound(making, 1, MAKING);
        parts = uint8(bound(parts, 2, 12));
        index = uint8(bound(index, 0, parts));
        uint256 right = making == MAKING ? parts : (making - 1) * parts / MAKING;
        Fill memory fill = _part(SecretTree.grow(parts, "any"), making, index);
        vm.deal(srcEscrow(fill), DEPOSIT);
        if (index != right) vm.expectRevert(IEscrowFactory.InvalidPartialFill.selector);
        this.fill_(TAKER, fill);
    }

    /// @dev Two fills that end in the same part: the second is refused whatever secret it brings.
    function test_parts_noTwoFillsEndInTheSamePart(uint8 index) public {
        SecretTree.Tree memory tree = SecretTree.grow(4, "any");
        fillAs(TAKER, _part(tree, MAKING / 8, 0));
        Fill memory second = _part(tree, MAKING / 8, bound(index, 0, 4));
        vm.deal(srcEscrow(second), DEPOSIT);
        vm.expectRevert(IEscrowFactory.InvalidPartialFill.selector);
        this.fill_(TAKER, second);
    }

    function test_parts_wholeOrderInFourFills() public {
        SecretTree.Tree memory tree = SecretTree.grow(4, "any");
        uint256[4] memory secrets = [uint256(0), 1, 2, 4];
        for (uint256 n = 0; n < 4; ++n) {
            fillAs(TAKER, _part(tree, MAKING / 4, secrets[n]));
        }
        assertEq(token.balanceOf(MAKER), 99 * MAKING);
    }

    function test_parts_rememberWhatWasProven() public {
        SecretTree.Tree memory tree = SecretTree.grow(4, "any");
        Fill memory fill = _part(tree, MAKING / 4, 0);
        fillAs(TAKER, fill);
        bytes32 key = keccak256(abi.encodePacked(fill.immutables.orderHash, uint240(uint256(tree.nodes[0]))));
        (uint256 index, bytes32 leaf) = factory.lastValidated(key);
        assertEq(index, 1);
        assertEq(leaf, tree.hashOf(0));
    }

    /// @dev For `expectRevert`, which wants the next call.
    function fill_(address taker, Fill memory fill) external {
        rawFill(taker, fill);
    }

    function _part(SecretTree.Tree memory tree, uint256 making, uint256 index) private view returns (Fill memory) {
        bytes memory data = abi.encodePacked(listed(TAKER), escrowData(tree.info()));
        return partOf(tree, postInteractionOnly(address(factory), data), making, index, TAKER);
    }

    function _fillFor(address taker, bytes memory gate) private view returns (Fill memory) {
        bytes memory extension = postInteractionOnly(address(factory), abi.encodePacked(gate, escrowData(HASHLOCK)));
        return fillOf(singleFillTraits(0), extension, HASHLOCK, taker);
    }

    function _refused(address taker, bytes memory gate, bytes4 error) private {
        Fill memory fill = _fillFor(taker, gate);
        vm.deal(srcEscrow(fill), DEPOSIT);
        vm.expectRevert(error);
        this.fill_(taker, fill);
    }

    function _gate(address taker, uint32 start, uint16 delay) private view returns (bytes memory) {
        return abi.encodePacked(uint32(vm.getBlockTimestamp()) + start, uint80(uint160(taker)), delay, uint8(1 << 3));
    }

    function _feeGate(uint32 fee) private view returns (bytes memory) {
        return
            abi.encodePacked(fee, uint32(vm.getBlockTimestamp()), uint80(uint160(TAKER)), uint16(0), uint8(1 << 3 | 1));
    }

    function _complement(address maker, uint256 amount)
        private
        view
        returns (IEscrowFactory.DstImmutablesComplement memory)
    {
        return IEscrowFactory.DstImmutablesComplement({
            maker: word(maker), amount: amount, token: word(address(token)), safetyDeposit: DEPOSIT, chainId: 10
        });
    }
}
