// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import { IEscrow } from "../src/interfaces/IEscrow.sol";
import { IResolver } from "../src/interfaces/IResolver.sol";
import { IResolverRoles } from "../src/interfaces/IResolverRoles.sol";
import { Immutables } from "../src/types/Immutables.sol";
import { Ours } from "./support/Ours.sol";

/// @title Settling, sweeping, rescuing, and the roles that may.
contract ResolverSettleTest is Ours {
    function test_withdrawDst_paysMakerWhoeverCalls(address caller) public {
        (, Immutables memory i) = lock(ourDst());
        uint256 coins = address(resolver).balance;
        uint256 had = token.balanceOf(MAKER);
        skip(DST_WITHDRAWAL);
        vm.prank(caller);
        resolver.withdrawDst(SECRET, i);
        assertEq(token.balanceOf(MAKER) - had, TAKING);
        assertEq(address(resolver).balance - coins, DEPOSIT);
    }

    function test_withdrawDst_revertsOnForgedImmutables() public {
        (, Immutables memory i) = lock(ourDst());
        skip(DST_WITHDRAWAL);
        i.maker = word(OUTSIDER);
        vm.prank(OUTSIDER);
        vm.expectRevert(IResolver.EscrowMissing.selector);
        resolver.withdrawDst(SECRET, i);
        i.taker = word(OUTSIDER);
        vm.prank(OUTSIDER);
        vm.expectRevert(IResolver.TakerNotSelf.selector);
        resolver.withdrawDst(SECRET, i);
    }

    function test_withdrawDst_passesTheReasonOn() public {
        (, Immutables memory i) = lock(ourDst());
        vm.expectRevert(IEscrow.InvalidTime.selector);
        resolver.withdrawDst(SECRET, i);
    }

    function test_withdrawSrc_paysUs() public {
        Fill memory fill = ourFill(0);
        fillOurs(fill);
        uint256 had = token.balanceOf(address(resolver));
        skip(SRC_WITHDRAWAL);
        vm.prank(OPERATOR);
        resolver.withdrawSrc(SECRET, fill.immutables);
        assertEq(token.balanceOf(address(resolver)) - had, MAKING);
        assertEq(address(resolver).balance, FLOAT);
    }

    function test_cancelSrc_returnsToMaker() public {
        Fill memory fill = ourFill(0);
        fillOurs(fill);
        skip(SRC_CANCELLATION);
        vm.prank(OPERATOR);
        resolver.cancelSrc(fill.immutables);
        assertEq(token.balanceOf(MAKER), 100 * MAKING);
        assertEq(address(resolver).balance, FLOAT);
    }

    function test_cancelDst_returnsToUs() public {
        (, Immutables memory i) = lock(ourDst());
        skip(DST_CANCELLATION);
        vm.prank(OPERATOR);
        resolver.cancelDst(i);
        assertEq(token.balanceOf(address(resolver)), 10 * TAKING);
        assertEq(address(resolver).balance, FLOAT);
    }

    function test_settling_isForOperatorsOnly(address caller) public {
        vm.assume(caller != OPERATOR);
        (, Immutables memory i) = lock(ourDst());
        vm.startPrank(caller);
        vm.expectRevert(IResolverRoles.NotOperator.selector);
        resolver.withdrawSrc(SECRET, i);
        vm.expectRevert(IResolverRoles.NotOperator.selector);
        resolver.cancelSrc(i);
        vm.expectRevert(IResolverRoles.NotOperator.selector);
        resolver.cancelDst(i);
        vm.expectRevert(IResolverRoles.NotOperator.selector);
        resolver.tryBatch(new bytes[](0), new uint256[](0));
        vm.stopPrank();
    }

    function test_pause_stopsFillsAndLocksOnly() public {
        Fill memory fill = ourFill(0);
        fillOurs(fill);
        (, Immutables memory i) = lock(ourDst());
        vm.prank(OPERATOR);
        resolver.pause();
        bytes memory second = ourFillCall(ourFill(1));
        vm.expectRevert(IResolverRoles.IsPaused.selector);
        this.call_(OPERATOR, second);
        uint256 srcCancellation = deadline();
        vm.prank(OPERATOR);
        vm.expectRevert(IResolverRoles.IsPaused.selector);
        resolver.deployDst(ourDst(), srcCancellation, MARGIN, srcCancellation);
        skip(DST_WITHDRAWAL);
        vm.startPrank(OPERATOR);
        resolver.withdrawDst(SECRET, i);
        resolver.withdrawSrc(SECRET, fill.immutables);
        resolver.sweep(address(token), 1);
        vm.stopPrank();
        assertEq(address(resolver).balance, FLOAT);
    }

    function test_unpause_isForTheOwnerOnly() public {
        vm.startPrank(OPERATOR);
        resolver.pause();
        vm.expectRevert(IResolverRoles.NotOwner.selector);
        resolver.unpause();
        vm.stopPrank();
        vm.prank(OWNER);
        resolver.unpause();
        lock(ourDst());
    }

    function test_sweep_goesToTheTreasuryOnly() public {
        vm.prank(OPERATOR);
        resolver.sweep(address(token), TAKING);
        vm.prank(OWNER);
        resolver.sweep(address(0), FLOAT);
        assertEq(token.balanceOf(TREASURY), TAKING);
        assertEq(TREASURY.balance, FLOAT);
        vm.prank(OUTSIDER);
        vm.expectRevert(IResolverRoles.NotOperator.selector);
        resolver.sweep(address(token), 1);
    }

    function test_rescue_takesBothSidesAfterTheDelay() public {
        Fill memory fill = ourFill(0);
        fillOurs(fill);
        (, Immutables memory i) = lock(ourDst());
        skip(RESCUE_DELAY - 1);
        vm.prank(OWNER);
        vm.expectRevert(IEscrow.InvalidTime.selector);
        resolver.rescue(true, fill.immutables, address(token), MAKING);
        skip(1);
        vm.startPrank(OWNER);
        resolver.rescue(true, fill.immutables, address(token), MAKING);
        resolver.rescue(false, i, address(token), TAKING);
        resolver.rescue(false, i, address(0), DEPOSIT);
        vm.stopPrank();
        assertEq(token.balanceOf(address(resolver)), 10 * TAKING + MAKING);
    }

    function test_rescue_isForTheOwnerOnly() public {
        (, Immutables memory i) = lock(ourDst());
        vm.prank(OPERATOR);
        vm.expectRevert(IResolverRoles.NotOwner.selector);
        resolver.rescue(false, i, address(token), 1);
    }

    function test_ownerCalls_areForTheOwnerOnly(address caller) public {
        vm.assume(caller != OWNER && caller != address(0));
        bytes[8] memory calls = [
            abi.encodeCall(resolver.setOperator, (OUTSIDER, true)),
            abi.encodeCall(resolver.setLimit, (address(token), 1, 1)),
            abi.encodeCall(resolver.setMinMargin, (0)),
            abi.encodeCall(resolver.setTreasury, (OUTSIDER)),
            abi.encodeCall(resolver.acceptTreasury, ()),
            abi.encodeCall(resolver.transferOwnership, (OUTSIDER)),
            abi.encodeCall(resolver.acceptOwnership, ()),
            abi.encodeCall(resolver.unpause, ())
        ];
        for (uint256 n = 0; n < calls.length; ++n) {
            vm.expectRevert(IResolverRoles.NotOwner.selector);
            this.call_(caller, calls[n]);
        }
    }

    function test_treasury_changesTwoDaysAfterItWasProposed() public {
        vm.startPrank(OWNER);
        vm.expectRevert(IResolverRoles.TooEarly.selector);
        resolver.acceptTreasury();
        resolver.setTreasury(OUTSIDER);
        skip(2 days - 1);
        vm.expectRevert(IResolverRoles.TooEarly.selector);
        resolver.acceptTreasury();
        assertEq(resolver.treasury(), TREASURY);
        skip(1);
        resolver.acceptTreasury();
        assertEq(resolver.treasury(), OUTSIDER);
        assertEq(resolver.pendingTreasury(), address(0));
        vm.stopPrank();
    }

    function test_ownership_movesInTwoSteps() public {
        vm.prank(OWNER);
        resolver.transferOwnership(OUTSIDER);
        assertEq(resolver.owner(), OWNER);
        vm.prank(OUTSIDER);
        resolver.acceptOwnership();
        assertEq(resolver.owner(), OUTSIDER);
        assertEq(resolver.pendingOwner(), address(0));
    }

    function test_roles_refuseZeroAndSelf() public {
        vm.startPrank(OWNER);
        vm.expectRevert(IResolverRoles.BadAddress.selector);
        resolver.setTreasury(address(0));
        vm.expectRevert(IResolverRoles.BadAddress.selector);
        resolver.setTreasury(address(resolver));
        vm.expectRevert(IResolverRoles.BadAddress.selector);
        resolver.transferOwnership(address(0));
        vm.expectRevert(IResolverRoles.BadAddress.selector);
        resolver.setOperator(address(resolver), true);
        vm.stopPrank();
    }

    function test_constructor_refusesFactoryThatDidNotMakeItsImplementations() public {
        address other = address(newFactory(lop()));
        vm.mockCall(
            other,
            abi.encodeWithSignature("ESCROW_DST_IMPLEMENTATION()"),
            abi.encode(factory.ESCROW_DST_IMPLEMENTATION())
        );
        bytes memory initCode =
            abi.encodePacked(vm.getCode("Resolver.sol:Resolver"), abi.encode(lop(), other, OWNER, TREASURY));
        address made;
        assembly ("memory-safe") {
            made := create(0, add(initCode, 0x20), mload(initCode))
        }
        assertEq(made, address(0));
    }

    /// @dev For `expectRevert`, which wants the next call.
    function call_(address caller, bytes memory data) external {
        callOurs(caller, data);
    }
}
