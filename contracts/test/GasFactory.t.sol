// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import { Immutables } from "../src/types/Immutables.sol";
import { GasMeter } from "./support/GasMeter.sol";
import { SecretTree } from "./support/SecretTree.sol";

/// @title Gas of fills and locks. Drift from snapshots/ fails.
/// forge-config: default.isolate = true
contract GasFactoryTest is GasMeter {
    using SecretTree for SecretTree.Tree;

    string private constant SINGLE = "LOP.fillOrderArgs | single-fill, minimal order, ";
    string private constant MULTI = "LOP.fillOrderArgs | multi-fill, minimal order, ";
    string private constant CREATE = "factory.createDstEscrow | ";
    // With this seed the proof of secret 0 has three nodes and those of 1 and 4 have two, as in the reference.
    bytes32 private constant SEED = bytes32(uint256(2));

    function test_fill_newInvalidatorSlot() public {
        _measureFill(SINGLE, "new invalidator slot", plainFill(TAKER, 0));
    }

    function test_fill_usedInvalidatorSlot() public {
        vm.prank(MAKER);
        IOrderCanceller(lop()).cancelOrder(singleFillTraits(0), bytes32(0));
        _measureFill(SINGLE, "used invalidator slot", plainFill(TAKER, 1));
    }

    function test_fill_wholeBalance() public {
        token.burn(MAKER, token.balanceOf(MAKER) - MAKING);
        _measureFill(SINGLE, "maker sells whole balance", plainFill(TAKER, 0));
    }

    function test_fill_finiteAllowance() public {
        vm.prank(MAKER);
        token.approve(lop(), 2 * MAKING);
        _measureFill(SINGLE, "finite allowance", plainFill(TAKER, 0));
    }

    function test_fill_exactAllowance() public {
        vm.prank(MAKER);
        token.approve(lop(), MAKING);
        _measureFill(SINGLE, "exact allowance", plainFill(TAKER, 0));
    }

    function test_fill_takerAssetWithoutCode() public {
        Fill memory fill = plainFill(TAKER, 0);
        fill.order.takerAsset = word(makeAddr("no code"));
        sign(fill);
        _measureFill(SINGLE, "takerAsset without code", fill);
    }

    function test_fill_auction() public {
        bytes memory data = abi.encodePacked(_listedWithFee(), escrowData(HASHLOCK));
        uint256 traits = POST_INTERACTION | HAS_EXTENSION;
        Fill memory fill = fillOf(traits, _auctionExtension(data), HASHLOCK, TAKER);
        vm.warp(vm.getBlockTimestamp() + 50);
        fill.immutables = born(fill.immutables);
        _measureFill("LOP.fillOrderArgs | ", "single-fill, reference-test order, whitelisted taker", fill);
    }

    function test_fill_auctionFirstPart() public {
        SecretTree.Tree memory tree = SecretTree.grow(4, SEED);
        bytes memory extension = _auctionExtension(abi.encodePacked(_listedWithFee(), escrowData(tree.info())));
        vm.warp(vm.getBlockTimestamp() + 50);
        Fill memory fill = partOf(tree, extension, MAKING / 4, 0, TAKER);
        _measureFill(
            "LOP.fillOrderArgs | ", "multi-fill, reference-test order, first fill (secret 0, one quarter)", fill
        );
    }

    function test_fill_parts() public {
        SecretTree.Tree memory tree = SecretTree.grow(4, SEED);
        bytes memory extension = _minimalExtension(tree.info());
        assertEq(tree.proof(0).length, 3);
        assertEq(tree.proof(1).length, 2);
        assertEq(tree.proof(4).length, 2);
        Fill memory first = partOf(tree, extension, MAKING / 4, 0, TAKER);
        _measureFill(MULTI, "first fill (secret 0, one quarter)", first);
        uint256 afterFirst = vm.snapshotState();
        _measureFill(MULTI, "second fill (secret 1, one quarter)", partOf(tree, extension, MAKING / 4, 1, TAKER));
        vm.revertToState(afterFirst);
        _measureFill(
            MULTI,
            "completing fill (secret 4, after one quarter)",
            partOf(tree, extension, MAKING - MAKING / 4, 4, TAKER)
        );
    }

    function test_fill_singleCompletingPart() public {
        SecretTree.Tree memory tree = SecretTree.grow(4, SEED);
        bytes memory extension = _minimalExtension(tree.info());
        _measureFill(MULTI, "single completing fill (secret 4)", partOf(tree, extension, MAKING, 4, TAKER));
    }

    function test_createDstEscrow_infiniteAllowance() public {
        _measureCreate("erc20, infinite allowance", 2 * TAKING, type(uint256).max);
    }

    function test_createDstEscrow_finiteAllowance() public {
        _measureCreate("erc20, finite allowance", 2 * TAKING, 2 * TAKING);
    }

    function test_createDstEscrow_exactAllowance() public {
        _measureCreate("erc20, exact allowance", 2 * TAKING, TAKING);
    }

    function test_createDstEscrow_wholeBalance() public {
        _measureCreate("erc20, taker spends whole balance", TAKING, type(uint256).max);
    }

    function test_createDstEscrow_native() public {
        Immutables memory i = dstImmutables();
        i.token = word(address(0));
        bytes memory data = abi.encodeCall(factory.createDstEscrow, (i, vm.getBlockTimestamp() + SRC_CANCELLATION));
        vm.deal(TAKER, 1 ether);
        measure(string.concat(CREATE, "native"), TAKER, address(factory), dstValue(i), data);
    }

    function _measureCreate(string memory variant, uint256 balance, uint256 allowance) private {
        token.mint(TAKER, balance);
        vm.prank(TAKER);
        token.approve(address(factory), allowance);
        bytes memory data =
            abi.encodeCall(factory.createDstEscrow, (dstImmutables(), vm.getBlockTimestamp() + SRC_CANCELLATION));
        measure(string.concat(CREATE, variant), TAKER, address(factory), DEPOSIT, data);
    }

    function _measureFill(string memory call, string memory variant, Fill memory fill) private {
        vm.deal(srcEscrow(fill), DEPOSIT);
        measure(string.concat(call, variant), TAKER, lop(), fillCall(fill));
    }

    function _minimalExtension(bytes32 info) private view returns (bytes memory) {
        return postInteractionOnly(address(factory), abi.encodePacked(listed(TAKER), escrowData(info)));
    }

    function _listedWithFee() private view returns (bytes memory) {
        return abi.encodePacked(
            uint32(1), uint32(vm.getBlockTimestamp()), uint80(uint160(TAKER)), uint16(0), uint8(1 << 3 | 1)
        );
    }

    /// @dev Five points, fill in the first segment; both amount getters and the post-interaction are set.
    function _auctionExtension(bytes memory data) private view returns (bytes memory) {
        bytes memory auction = abi.encodePacked(
            address(factory),
            abi.encodePacked(uint24(0), uint32(0), uint32(vm.getBlockTimestamp()), uint24(1800), uint24(1_000_000)),
            abi.encodePacked(uint24(800_000), uint16(120), uint24(600_000), uint16(240), uint24(400_000), uint16(360)),
            abi.encodePacked(uint24(200_000), uint16(240), uint24(100_000), uint16(240))
        );
        uint256 one = auction.length;
        uint256 two = 2 * one;
        uint256 end = two + 20 + data.length;
        uint256 ends = one << 64 | two << 96 | two << 128 | two << 160 | two << 192 | end << 224;
        return abi.encodePacked(ends, auction, auction, address(factory), data);
    }
}

interface IOrderCanceller {
    function cancelOrder(uint256 makerTraits, bytes32 orderHash) external;
}
