// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import { IEscrowFactory } from "../src/interfaces/IEscrowFactory.sol";
import { IResolver } from "../src/interfaces/IResolver.sol";
import { IResolverRoles } from "../src/interfaces/IResolverRoles.sol";
import { Immutables } from "../src/types/Immutables.sol";
import { Ours } from "./support/Ours.sol";

/// @title Another factory's post-interaction: takes the fill and creates nothing.
contract LookAlikeFactory {
    fallback() external { }
}

/// @title Fills and locks of the resolver's contract: what they check, in which they fail, what they leave behind.
contract ResolverTest is Ours {
    function test_deploySrc_fillsAndFundsTheEscrow() public {
        Fill memory fill = ourFill(0);
        address escrow = fillOurs(fill);
        assertEq(token.balanceOf(escrow), MAKING);
        assertEq(escrow.balance, DEPOSIT);
        assertEq(resolver.escrowOf(true, fill.immutables), escrow);
    }

    function test_deploySrc_revertsForOthers(address caller) public {
        vm.assume(caller != OPERATOR);
        _expectFill(caller, ourFill(0), abi.encodeWithSelector(IResolverRoles.NotOperator.selector));
    }

    function test_deploySrc_revertsWhenTakerIsNotSelf() public {
        Fill memory fill = plainFill(MAKER, 0);
        _expectFill(OPERATOR, fill, abi.encodeWithSelector(IResolver.TakerNotSelf.selector));
    }

    function test_deploySrc_isMinedUntilNotAfter() public {
        bytes memory data = ourFillCall(ourFill(0));
        skip(1);
        vm.expectRevert(IResolver.Expired.selector);
        this.call_(OPERATOR, data);
    }

    function test_deploySrc_revertsOnAnotherOrder() public {
        Fill memory fill = ourFill(0);
        fill.immutables.orderHash = keccak256("another");
        // The factory makes its escrow elsewhere, so the deposit is missing there.
        _expectFill(OPERATOR, fill, abi.encodeWithSelector(IEscrowFactory.InsufficientEscrowBalance.selector));
    }

    function test_deploySrc_revertsOnOrderThatIsNotTheImmutables() public {
        Fill memory fill = _lookAlike();
        fill.immutables.orderHash = keccak256("another");
        _expectFill(OPERATOR, fill, abi.encodeWithSelector(IResolver.FillMismatch.selector));
    }

    function test_deploySrc_revertsOnAnotherAmount() public {
        Fill memory fill = _lookAlike();
        fill.immutables.amount -= 1;
        _expectFill(OPERATOR, fill, abi.encodeWithSelector(IResolver.FillMismatch.selector));
    }

    function test_deploySrc_revertsWhenAnotherFactoryTakesTheFill() public {
        _expectFill(OPERATOR, _lookAlike(), abi.encodeWithSelector(IResolver.EscrowMissing.selector));
        assertEq(address(resolver).balance, FLOAT);
    }

    function test_deploySrc_neverPaysARealTakerAsset() public {
        Fill memory fill = ourFill(0);
        fill.order.takerAsset = word(address(token));
        sign(fill);
        uint256 stock = token.balanceOf(address(resolver));
        bytes memory data = ourFillCall(fill);
        vm.expectRevert(bytes4(keccak256("TransferFromTakerToMakerFailed()")));
        this.call_(OPERATOR, data);
        assertEq(token.balanceOf(address(resolver)), stock);
    }

    function test_deploySrc_limitsTheDeposit() public {
        vm.prank(OWNER);
        resolver.setLimit(address(0), uint128(DEPOSIT - 1), 0);
        _expectFill(OPERATOR, ourFill(0), abi.encodeWithSelector(IResolver.LimitExceeded.selector));
        vm.prank(OWNER);
        resolver.setLimit(address(0), uint128(DEPOSIT), 0);
        fillOurs(ourFill(0));
    }

    function test_deployDst_locksAndRecords() public {
        Immutables memory made = born(ourDst());
        address expected = factory.addressOfEscrowDst(made);
        uint256 srcCancellation = deadline();
        vm.expectEmit(address(resolver));
        emit IResolver.DstLocked(HASHLOCK, expected, made);
        vm.prank(OPERATOR);
        address escrow = resolver.deployDst(ourDst(), srcCancellation, MARGIN, vm.getBlockTimestamp());
        assertEq(escrow, expected);
        (address locked, uint64 at) = resolver.lockOf(HASHLOCK);
        assertEq(locked, escrow);
        assertEq(at, vm.getBlockTimestamp());
        assertEq(token.balanceOf(escrow), TAKING);
        assertEq(token.allowance(address(resolver), address(factory)), 0);
    }

    function test_deployDst_locksNativeCoin() public {
        Immutables memory i = ourDst();
        i.token = word(address(0));
        (address escrow,) = lock(i);
        assertEq(escrow.balance, TAKING + DEPOSIT);
    }

    function test_deployDst_revertsForOthers(address caller) public {
        vm.assume(caller != OPERATOR);
        _expectLock(caller, ourDst(), deadline(), MARGIN, abi.encodeWithSelector(IResolverRoles.NotOperator.selector));
    }

    function test_deployDst_revertsWhenTakerIsNotSelf() public {
        Immutables memory i = ourDst();
        i.taker = word(MAKER);
        _expectLock(OPERATOR, i, deadline(), MARGIN, abi.encodeWithSelector(IResolver.TakerNotSelf.selector));
    }

    function test_deployDst_revertsOnNoMakerOrNoAmount() public {
        Immutables memory i = ourDst();
        i.amount = 0;
        _expectLock(OPERATOR, i, deadline(), MARGIN, abi.encodeWithSelector(IResolver.BadImmutables.selector));
        i = ourDst();
        i.maker = word(address(0));
        _expectLock(OPERATOR, i, deadline(), MARGIN, abi.encodeWithSelector(IResolver.BadImmutables.selector));
    }

    function test_deployDst_isMinedUntilNotAfter() public {
        uint256 notAfter = vm.getBlockTimestamp();
        bytes memory data = abi.encodeCall(resolver.deployDst, (ourDst(), deadline() + 1, MARGIN, notAfter));
        skip(1);
        vm.expectRevert(IResolver.Expired.selector);
        this.call_(OPERATOR, data);
    }

    function test_deployDst_keepsTheMarginBeforeTheDeadline() public {
        bytes memory late = abi.encodeWithSelector(IEscrowFactory.InvalidCreationTime.selector);
        _expectLock(OPERATOR, ourDst(), deadline() - 1, MARGIN, late);
        _expectLock(OPERATOR, ourDst(), deadline(), MARGIN + 1, late);
        lock(ourDst());
    }

    function test_deployDst_revertsBelowTheLeastMargin() public {
        bytes memory small = abi.encodeWithSelector(IResolver.MarginTooSmall.selector);
        _expectLock(OPERATOR, ourDst(), deadline(), MARGIN - 1, small);
        _expectLock(OPERATOR, ourDst(), deadline(), 0, small);
    }

    function test_deployDst_revertsOnMarginAboveDeadline() public {
        bytes memory panic = abi.encodeWithSignature("Panic(uint256)", 0x11);
        _expectLock(OPERATOR, ourDst(), MARGIN - 1, MARGIN, panic);
    }

    function test_deployDst_locksEachHashlockOnce() public {
        (address escrow, Immutables memory made) = lock(ourDst());
        bytes memory twice = abi.encodeWithSelector(IResolver.AlreadyLocked.selector, HASHLOCK, escrow);
        _expectLock(OPERATOR, ourDst(), deadline(), MARGIN, twice);
        Immutables memory other = ourDst();
        other.orderHash = keccak256("another order");
        _expectLock(OPERATOR, other, deadline(), MARGIN, twice);
        skip(DST_CANCELLATION);
        vm.prank(OPERATOR);
        resolver.cancelDst(made);
        _expectLock(OPERATOR, ourDst(), deadline(), MARGIN, twice);
    }

    function test_deployDst_locksAfterARevertOrAReorg() public {
        _expectLock(
            OPERATOR,
            ourDst(),
            deadline() - 1,
            MARGIN,
            abi.encodeWithSelector(IEscrowFactory.InvalidCreationTime.selector)
        );
        uint256 before = vm.snapshotState();
        lock(ourDst());
        vm.revertToState(before);
        skip(3);
        (address escrow,) = lock(ourDst());
        (address locked,) = resolver.lockOf(HASHLOCK);
        assertEq(locked, escrow);
    }

    /// @dev A stranger's escrow with our hashlock and taker, even in the same second, is not our lock.
    function test_deployDst_isNotBurnedByAStranger() public {
        Immutables memory i = ourDst();
        (i.amount, i.safetyDeposit) = (0, 0);
        vm.prank(OUTSIDER);
        factory.createDstEscrow(i, deadline());
        (address locked,) = resolver.lockOf(HASHLOCK);
        assertEq(locked, address(0));
        lock(ourDst());
    }

    function test_limit_zeroRefusesTheToken() public {
        vm.prank(OWNER);
        resolver.setLimit(address(token), 0, 0);
        _expectLock(OPERATOR, ourDst(), deadline(), MARGIN, abi.encodeWithSelector(IResolver.LimitExceeded.selector));
    }

    function test_limit_perLockCountsNativeAmountAndDeposit() public {
        Immutables memory i = ourDst();
        i.token = word(address(0));
        vm.prank(OWNER);
        resolver.setLimit(address(0), uint128(TAKING + DEPOSIT - 1), 0);
        _expectLock(OPERATOR, i, deadline(), MARGIN, abi.encodeWithSelector(IResolver.LimitExceeded.selector));
        vm.prank(OWNER);
        resolver.setLimit(address(0), uint128(TAKING + DEPOSIT), 0);
        lock(i);
    }

    function test_limit_perHourRefillsEvenly() public {
        vm.prank(OWNER);
        resolver.setLimit(address(token), uint128(TAKING), uint128(2 * TAKING));
        lock(_numbered(1));
        lock(_numbered(2));
        bytes memory tooMuch = abi.encodeWithSelector(IResolver.LimitExceeded.selector);
        _expectLock(OPERATOR, _numbered(3), deadline(), MARGIN, tooMuch);
        skip(30 minutes - 1);
        _expectLock(OPERATOR, _numbered(3), deadline(), MARGIN, tooMuch);
        skip(1);
        lock(_numbered(3));
        _expectLock(OPERATOR, _numbered(4), deadline(), MARGIN, tooMuch);
    }

    /// @dev For `expectRevert`, which wants the next call.
    function call_(address caller, bytes memory data) external {
        callOurs(caller, data);
    }

    function _numbered(uint256 n) private view returns (Immutables memory i) {
        i = ourDst();
        i.hashlock = bytes32(n);
    }

    /// @dev An order that names a factory which is not ours.
    function _lookAlike() private returns (Fill memory) {
        address other = address(new LookAlikeFactory());
        bytes memory data = abi.encodePacked(listed(address(resolver)), escrowData(HASHLOCK));
        return fillOf(singleFillTraits(0), postInteractionOnly(other, data), HASHLOCK, address(resolver));
    }

    function _expectFill(address caller, Fill memory fill, bytes memory error) private {
        bytes memory data = ourFillCall(fill);
        vm.expectRevert(error);
        this.call_(caller, data);
    }

    function _expectLock(
        address caller,
        Immutables memory i,
        uint256 srcCancellation,
        uint256 margin,
        bytes memory error
    ) private {
        bytes memory data = abi.encodeCall(resolver.deployDst, (i, srcCancellation, margin, vm.getBlockTimestamp()));
        vm.expectRevert(error);
        this.call_(caller, data);
    }
}
