// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import { IEscrow } from "../src/interfaces/IEscrow.sol";
import { IEscrowSrc } from "../src/interfaces/IEscrowSrc.sol";
import { TokenLib } from "../src/libraries/TokenLib.sol";
import { Immutables } from "../src/types/Immutables.sol";
import { Orders } from "./support/Orders.sol";

/// @title Every call of a source escrow: who, when, with what, and where the money goes.
contract EscrowSrcTest is Orders {
    IEscrowSrc private escrow;
    Immutables private i;
    uint256 private birth;

    function setUp() public override {
        super.setUp();
        Fill memory fill = plainFill(TAKER, 0);
        escrow = IEscrowSrc(fillAs(TAKER, fill));
        i = fill.immutables;
        birth = vm.getBlockTimestamp();
    }

    function test_withdraw_revertsBeforeWindow() public {
        _expect(IEscrow.InvalidTime.selector, TAKER, SRC_WITHDRAWAL - 1, _withdraw(SECRET));
    }

    function test_withdraw_paysTakerFromFirstSecond() public {
        _ok(TAKER, SRC_WITHDRAWAL, _withdraw(SECRET));
        _paid(TAKER, MAKING, TAKER);
    }

    function test_withdraw_paysTakerInLastSecond() public {
        _ok(TAKER, SRC_CANCELLATION - 1, _withdraw(SECRET));
        _paid(TAKER, MAKING, TAKER);
    }

    function test_withdraw_revertsFromCancellation() public {
        _expect(IEscrow.InvalidTime.selector, TAKER, SRC_CANCELLATION, _withdraw(SECRET));
    }

    function test_withdraw_revertsForOthers(address caller) public {
        vm.assume(caller != TAKER);
        _expect(IEscrow.InvalidCaller.selector, caller, SRC_WITHDRAWAL, _withdraw(SECRET));
    }

    function test_withdraw_revertsOnWrongSecret(bytes32 secret) public {
        vm.assume(secret != SECRET);
        _expect(IEscrow.InvalidSecret.selector, TAKER, SRC_WITHDRAWAL, _withdraw(secret));
    }

    function test_withdraw_checksCallerThenTimeThenImmutablesThenSecret() public {
        i.amount += 1;
        _expect(IEscrow.InvalidCaller.selector, OUTSIDER, 0, _withdraw(0));
        _expect(IEscrow.InvalidTime.selector, TAKER, 0, _withdraw(0));
        _expect(IEscrow.InvalidImmutables.selector, TAKER, SRC_WITHDRAWAL, _withdraw(0));
        i.amount -= 1;
        _expect(IEscrow.InvalidSecret.selector, TAKER, SRC_WITHDRAWAL, _withdraw(0));
    }

    function test_withdraw_revertsWhenEmptied() public {
        _ok(TAKER, SRC_WITHDRAWAL, _withdraw(SECRET));
        _expect(TokenLib.SafeTransferFailed.selector, TAKER, SRC_WITHDRAWAL, _withdraw(SECRET));
    }

    function test_withdraw_emitsSecret() public {
        vm.warp(birth + SRC_WITHDRAWAL);
        vm.expectEmit(address(escrow));
        emit IEscrow.EscrowWithdrawal(SECRET);
        vm.prank(TAKER);
        escrow.withdraw(SECRET, i);
    }

    function test_withdrawTo_paysTarget() public {
        _ok(TAKER, SRC_WITHDRAWAL, abi.encodeCall(IEscrowSrc.withdrawTo, (SECRET, OUTSIDER, i)));
        _paid(OUTSIDER, MAKING, TAKER);
    }

    function test_withdrawTo_sharesWindowAndRole() public {
        bytes memory data = abi.encodeCall(IEscrowSrc.withdrawTo, (SECRET, OUTSIDER, i));
        _expect(IEscrow.InvalidTime.selector, TAKER, SRC_WITHDRAWAL - 1, data);
        _expect(IEscrow.InvalidTime.selector, TAKER, SRC_CANCELLATION, data);
        _expect(IEscrow.InvalidCaller.selector, HOLDER, SRC_WITHDRAWAL, data);
    }

    function test_publicWithdraw_paysTakerAndRewardsHolder() public {
        _ok(HOLDER, SRC_PUBLIC_WITHDRAWAL, _public(SECRET));
        _paid(TAKER, MAKING, HOLDER);
    }

    function test_publicWithdraw_keepsWindow() public {
        _expect(IEscrow.InvalidTime.selector, HOLDER, SRC_PUBLIC_WITHDRAWAL - 1, _public(SECRET));
        _expect(IEscrow.InvalidTime.selector, HOLDER, SRC_CANCELLATION, _public(SECRET));
    }

    function test_publicWithdraw_revertsWithoutAccessToken() public {
        _expect(IEscrow.InvalidCaller.selector, TAKER, SRC_PUBLIC_WITHDRAWAL, _public(SECRET));
        _expect(IEscrow.InvalidCaller.selector, OUTSIDER, SRC_PUBLIC_WITHDRAWAL, _public(SECRET));
    }

    function test_cancel_paysMakerFromFirstSecond() public {
        _expect(IEscrow.InvalidTime.selector, TAKER, SRC_CANCELLATION - 1, _cancel());
        token.burn(MAKER, token.balanceOf(MAKER));
        _ok(TAKER, SRC_CANCELLATION, _cancel());
        _paid(MAKER, MAKING, TAKER);
    }

    function test_cancel_checksCallerThenTimeThenImmutables() public {
        i.amount += 1;
        _expect(IEscrow.InvalidCaller.selector, HOLDER, 0, _cancel());
        _expect(IEscrow.InvalidTime.selector, TAKER, 0, _cancel());
        _expect(IEscrow.InvalidImmutables.selector, TAKER, SRC_CANCELLATION, _cancel());
    }

    function test_publicCancel_paysMakerAndRewardsHolder() public {
        bytes memory data = abi.encodeCall(IEscrowSrc.publicCancel, (i));
        _expect(IEscrow.InvalidTime.selector, HOLDER, SRC_PUBLIC_CANCELLATION - 1, data);
        _expect(IEscrow.InvalidCaller.selector, TAKER, SRC_PUBLIC_CANCELLATION, data);
        token.burn(MAKER, token.balanceOf(MAKER));
        _ok(HOLDER, SRC_PUBLIC_CANCELLATION, data);
        _paid(MAKER, MAKING, HOLDER);
    }

    function test_rescueFunds_checksCallerThenImmutablesThenTime() public {
        _expect(IEscrow.InvalidCaller.selector, HOLDER, RESCUE_DELAY, _rescue());
        i.amount += 1;
        _expect(IEscrow.InvalidImmutables.selector, TAKER, 0, _rescue());
        i.amount -= 1;
        _expect(IEscrow.InvalidTime.selector, TAKER, RESCUE_DELAY - 1, _rescue());
    }

    function test_rescueFunds_paysTaker() public {
        _ok(TAKER, RESCUE_DELAY, _rescue());
        assertEq(token.balanceOf(TAKER), MAKING);
    }

    function test_anyFieldChanged_isRefused(uint8 field, uint256 value) public {
        bytes memory words = abi.encode(i);
        uint256 at = 0x20 * (1 + bound(field, 0, 7));
        uint256 old;
        assembly ("memory-safe") {
            old := mload(add(words, at))
            mstore(add(words, at), value)
        }
        vm.assume(value != old);
        Immutables memory changed = abi.decode(words, (Immutables));
        vm.warp(birth + SRC_WITHDRAWAL);
        // Taker and timelocks are checked before the address; any of the three errors is a refusal.
        vm.prank(TAKER);
        (bool ok,) = address(escrow).call(abi.encodeCall(IEscrow.withdraw, (SECRET, changed)));
        assertFalse(ok);
    }

    function test_implementation_refusesEverybody() public {
        IEscrowSrc implementation = IEscrowSrc(factory.ESCROW_SRC_IMPLEMENTATION());
        assertEq(implementation.FACTORY(), address(factory));
        assertEq(implementation.RESCUE_DELAY(), RESCUE_DELAY);
        vm.warp(birth + SRC_WITHDRAWAL);
        vm.prank(TAKER);
        vm.expectRevert(IEscrow.InvalidImmutables.selector);
        implementation.withdraw(SECRET, i);
    }

    function _paid(address recipient, uint256 amount, address finisher) private view {
        assertEq(token.balanceOf(recipient), amount);
        assertEq(token.balanceOf(address(escrow)), 0);
        assertEq(finisher.balance, DEPOSIT);
        assertEq(address(escrow).balance, 0);
    }

    function _withdraw(bytes32 secret) private view returns (bytes memory) {
        return abi.encodeCall(IEscrow.withdraw, (secret, i));
    }

    function _public(bytes32 secret) private view returns (bytes memory) {
        return abi.encodeCall(IEscrow.publicWithdraw, (secret, i));
    }

    function _cancel() private view returns (bytes memory) {
        return abi.encodeCall(IEscrow.cancel, (i));
    }

    function _rescue() private view returns (bytes memory) {
        return abi.encodeCall(IEscrow.rescueFunds, (address(token), MAKING, i));
    }

    function _ok(address caller, uint256 after_, bytes memory data) private {
        vm.warp(birth + after_);
        vm.prank(caller);
        (bool ok,) = address(escrow).call(data);
        assertTrue(ok);
    }

    function _expect(bytes4 error, address caller, uint256 after_, bytes memory data) private {
        vm.warp(birth + after_);
        vm.prank(caller);
        (bool ok, bytes memory result) = address(escrow).call(data);
        assertFalse(ok);
        assertEq(bytes4(result), error);
        assertEq(result.length, 4);
    }
}
