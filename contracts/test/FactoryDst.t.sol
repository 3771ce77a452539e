// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import { IEscrow } from "../src/interfaces/IEscrow.sol";
import { IEscrowFactory } from "../src/interfaces/IEscrowFactory.sol";
import { IResolverGate } from "../src/interfaces/IResolverGate.sol";
import { CloneLib } from "../src/libraries/CloneLib.sol";
import { TokenLib } from "../src/libraries/TokenLib.sol";
import { Immutables } from "../src/types/Immutables.sol";
import { Timelocks } from "../src/types/Timelocks.sol";
import { Fixture } from "./support/Fixture.sol";

/// @title Creating destination escrows, and what the factory is made of.
contract FactoryDstTest is Fixture {
    function setUp() public override {
        super.setUp();
        token.mint(TAKER, 10 * TAKING);
        vm.deal(TAKER, 10 ether);
        vm.prank(TAKER);
        token.approve(address(factory), type(uint256).max);
    }

    function test_implementations_trustTheFactory() public view {
        IEscrow src = IEscrow(factory.ESCROW_SRC_IMPLEMENTATION());
        IEscrow dst = IEscrow(factory.ESCROW_DST_IMPLEMENTATION());
        assertEq(src.FACTORY(), address(factory));
        assertEq(dst.FACTORY(), address(factory));
        assertEq(address(src), vm.computeCreateAddress(address(factory), 1));
        assertEq(address(dst), vm.computeCreateAddress(address(factory), 2));
    }

    function test_clone_isTheKnown45Bytes() public {
        Immutables memory i = dstImmutables();
        Immutables memory made = born(i);
        _create(i, DEPOSIT, DST_CANCELLATION);
        bytes memory code = abi.encodePacked(
            hex"363d3d373d3d3d363d73", factory.ESCROW_DST_IMPLEMENTATION(), hex"5af43d82803e903d91602b57fd5bf3"
        );
        assertEq(factory.addressOfEscrowDst(made).code, code);
    }

    function test_createDstEscrow_fundsAndAnnounces() public {
        Immutables memory i = dstImmutables();
        address escrow = factory.addressOfEscrowDst(born(i));
        vm.expectEmit(address(factory));
        emit IEscrowFactory.DstEscrowCreated(escrow, HASHLOCK, word(TAKER));
        _create(i, DEPOSIT, DST_CANCELLATION);
        assertEq(token.balanceOf(escrow), TAKING);
        assertEq(escrow.balance, DEPOSIT);
    }

    function test_createDstEscrow_overwritesDeployedAt(uint32 claimed) public {
        Immutables memory i = dstImmutables();
        i.timelocks = i.timelocks.setDeployedAt(claimed);
        _create(i, DEPOSIT, DST_CANCELLATION);
        assertGt(factory.addressOfEscrowDst(born(i)).code.length, 0);
    }

    function test_createDstEscrow_acceptsEqualCancellationAndRefusesOneSecondLess() public {
        _expect(IEscrowFactory.InvalidCreationTime.selector, dstImmutables(), DEPOSIT, DST_CANCELLATION - 1);
        _create(dstImmutables(), DEPOSIT, DST_CANCELLATION);
    }

    function test_createDstEscrow_revertsOnWrongValue(uint256 value) public {
        value = bound(value, 0, 1 ether);
        vm.assume(value != DEPOSIT);
        _expect(IEscrowFactory.InsufficientEscrowBalance.selector, dstImmutables(), value, DST_CANCELLATION);
    }

    function test_createDstEscrow_nativeNeedsAmountAndDeposit() public {
        Immutables memory i = dstImmutables();
        i.token = word(address(0));
        _expect(IEscrowFactory.InsufficientEscrowBalance.selector, i, DEPOSIT, DST_CANCELLATION);
        _create(i, DEPOSIT + TAKING, DST_CANCELLATION);
    }

    function test_createDstEscrow_allowsZeroDepositAndZeroAmount() public {
        Immutables memory i = dstImmutables();
        (i.safetyDeposit, i.amount) = (0, 0);
        _create(i, 0, DST_CANCELLATION);
    }

    function test_createDstEscrow_revertsOnTwinInTheSameSecondOnly() public {
        _create(dstImmutables(), DEPOSIT, DST_CANCELLATION);
        _expect(CloneLib.FailedDeployment.selector, dstImmutables(), DEPOSIT, DST_CANCELLATION);
        skip(1);
        _create(dstImmutables(), DEPOSIT, DST_CANCELLATION);
    }

    function test_createDstEscrow_revertsWithoutAllowance() public {
        vm.prank(TAKER);
        token.approve(address(factory), TAKING - 1);
        _expect(TokenLib.SafeTransferFromFailed.selector, dstImmutables(), DEPOSIT, DST_CANCELLATION);
    }

    function test_createDstEscrow_revertsOnTokenWithoutCode() public {
        Immutables memory i = dstImmutables();
        i.token = word(OUTSIDER);
        _expect(TokenLib.SafeTransferFromFailed.selector, i, DEPOSIT, DST_CANCELLATION);
    }

    function test_addressOf_followsCreate2(Immutables memory i) public view {
        _assertAddress(i, factory.ESCROW_SRC_IMPLEMENTATION(), factory.addressOfEscrowSrc(i));
        _assertAddress(i, factory.ESCROW_DST_IMPLEMENTATION(), factory.addressOfEscrowDst(i));
    }

    function test_feeBank_isNobody(address account, uint256 amount) public {
        assertEq(factory.FEE_BANK(), address(0));
        assertEq(factory.availableCredit(account), 0);
        vm.expectRevert(IResolverGate.OnlyFeeBank.selector);
        factory.increaseAvailableCredit(account, amount);
        vm.expectRevert(IResolverGate.OnlyFeeBank.selector);
        factory.decreaseAvailableCredit(account, amount);
    }

    function test_timelocks_neverWrap(uint256 offsetsWord, uint32 time) public pure {
        Timelocks t = Timelocks.wrap(offsetsWord).setDeployedAt(time);
        assertEq(Timelocks.unwrap(t) >> 224, time);
        assertEq(Timelocks.unwrap(t) << 32, offsetsWord << 32);
    }

    function _assertAddress(Immutables memory i, address implementation, address actual) private view {
        bytes32 cloneHash = keccak256(
            abi.encodePacked(
                hex"3d602d80600a3d3981f3363d3d373d3d3d363d73", implementation, hex"5af43d82803e903d91602b57fd5bf3"
            )
        );
        assertEq(IEscrow(implementation).PROXY_BYTECODE_HASH(), cloneHash);
        assertEq(actual, vm.computeCreate2Address(keccak256(abi.encode(i)), cloneHash, address(factory)));
    }

    function _create(Immutables memory i, uint256 value, uint256 wait) private {
        uint256 limit = vm.getBlockTimestamp() + wait;
        vm.prank(TAKER);
        factory.createDstEscrow{ value: value }(i, limit);
    }

    function _expect(bytes4 error, Immutables memory i, uint256 value, uint256 wait) private {
        uint256 limit = vm.getBlockTimestamp() + wait;
        vm.prank(TAKER);
        vm.expectRevert(error);
        factory.createDstEscrow{ value: value }(i, limit);
    }
}
