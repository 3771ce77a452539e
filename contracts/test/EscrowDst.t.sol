// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import { IEscrow } from "../src/interfaces/IEscrow.sol";
import { TokenLib } from "../src/libraries/TokenLib.sol";
import { Immutables } from "../src/types/Immutables.sol";
import { Fixture } from "./support/Fixture.sol";

contract RefusesCoins {
    receive() external payable {
        revert();
    }
}

/// @title Every call of a destination escrow, with tokens and with native coin.
contract EscrowDstTest is Fixture {
    IEscrow private escrow;
    Immutables private i;
    uint256 private birth;

    function setUp() public override {
        super.setUp();
        _create(dstImmutables());
    }

    function test_withdraw_paysMakerFromFirstSecond() public {
        _expect(IEscrow.InvalidTime.selector, TAKER, DST_WITHDRAWAL - 1, _withdraw());
        _ok(TAKER, DST_WITHDRAWAL, _withdraw());
        assertEq(token.balanceOf(MAKER), TAKING);
        assertEq(TAKER.balance, DEPOSIT);
    }

    function test_withdraw_revertsFromCancellation() public {
        _expect(IEscrow.InvalidTime.selector, TAKER, DST_CANCELLATION, _withdraw());
        _ok(TAKER, DST_CANCELLATION - 1, _withdraw());
    }

    function test_withdraw_revertsForOthers(address caller) public {
        vm.assume(caller != TAKER);
        _expect(IEscrow.InvalidCaller.selector, caller, DST_WITHDRAWAL, _withdraw());
    }

    function test_withdraw_revertsOnWrongSecret(bytes32 secret) public {
        vm.assume(secret != SECRET);
        bytes memory data = abi.encodeCall(IEscrow.withdraw, (secret, i));
        _expect(IEscrow.InvalidSecret.selector, TAKER, DST_WITHDRAWAL, data);
    }

    function test_withdraw_revertsWhenEmptied() public {
        _ok(TAKER, DST_WITHDRAWAL, _withdraw());
        _expect(TokenLib.SafeTransferFailed.selector, TAKER, DST_WITHDRAWAL, _withdraw());
    }

    function test_publicWithdraw_paysMakerAndRewardsHolder() public {
        bytes memory data = abi.encodeCall(IEscrow.publicWithdraw, (SECRET, i));
        _expect(IEscrow.InvalidTime.selector, HOLDER, DST_PUBLIC_WITHDRAWAL - 1, data);
        _expect(IEscrow.InvalidTime.selector, HOLDER, DST_CANCELLATION, data);
        _expect(IEscrow.InvalidCaller.selector, OUTSIDER, DST_PUBLIC_WITHDRAWAL, data);
        _ok(HOLDER, DST_PUBLIC_WITHDRAWAL, data);
        assertEq(token.balanceOf(MAKER), TAKING);
        assertEq(HOLDER.balance, DEPOSIT);
    }

    function test_cancel_paysTakerFromFirstSecond() public {
        _expect(IEscrow.InvalidTime.selector, TAKER, DST_CANCELLATION - 1, _cancel());
        _ok(TAKER, DST_CANCELLATION, _cancel());
        assertEq(token.balanceOf(TAKER), TAKING);
        assertEq(TAKER.balance, DEPOSIT);
    }

    function test_cancel_checksCallerThenImmutablesThenTime() public {
        i.amount += 1;
        _expect(IEscrow.InvalidCaller.selector, HOLDER, 0, _cancel());
        _expect(IEscrow.InvalidImmutables.selector, TAKER, 0, _cancel());
        i.amount -= 1;
        _expect(IEscrow.InvalidTime.selector, TAKER, 0, _cancel());
    }

    function test_rescueFunds_paysTakerAfterDelay() public {
        bytes memory data = abi.encodeCall(IEscrow.rescueFunds, (address(0), DEPOSIT, i));
        _expect(IEscrow.InvalidTime.selector, TAKER, RESCUE_DELAY - 1, data);
        _expect(IEscrow.InvalidCaller.selector, MAKER, RESCUE_DELAY, data);
        _ok(TAKER, RESCUE_DELAY, data);
        assertEq(TAKER.balance, DEPOSIT);
    }

    function test_native_withdrawPaysMakerInCoins() public {
        _createNative(MAKER);
        _ok(TAKER, DST_WITHDRAWAL, _withdraw());
        assertEq(MAKER.balance, TAKING);
        assertEq(TAKER.balance, DEPOSIT);
    }

    function test_native_cancelPaysTakerInCoins() public {
        _createNative(MAKER);
        _ok(TAKER, DST_CANCELLATION, _cancel());
        assertEq(TAKER.balance, TAKING + DEPOSIT);
    }

    function test_native_withdrawRevertsWhenMakerRefusesCoins() public {
        _createNative(address(new RefusesCoins()));
        _expect(TokenLib.NativeTokenSendingFailure.selector, TAKER, DST_WITHDRAWAL, _withdraw());
        _ok(TAKER, DST_CANCELLATION, _cancel());
    }

    /// @dev Whatever is tried, a second is either for withdrawing or for cancelling, never both.
    function test_withdrawAndCancelNeverOpenTogether(uint32 wait) public {
        vm.warp(birth + bound(wait, 0, RESCUE_DELAY));
        uint256 before = vm.snapshotState();
        bool withdrawn = _try(_withdraw());
        vm.revertToState(before);
        bool cancelled = _try(_cancel());
        assertFalse(withdrawn && cancelled);
        assertEq(cancelled, vm.getBlockTimestamp() >= birth + DST_CANCELLATION);
        assertEq(
            withdrawn,
            vm.getBlockTimestamp() >= birth + DST_WITHDRAWAL && vm.getBlockTimestamp() < birth + DST_CANCELLATION
        );
    }

    function _create(Immutables memory wanted) private {
        birth = vm.getBlockTimestamp();
        (address made, Immutables memory immutables) = createDst(wanted, TAKER);
        (escrow, i) = (IEscrow(made), immutables);
    }

    function _createNative(address maker) private {
        Immutables memory wanted = dstImmutables();
        wanted.token = word(address(0));
        wanted.maker = word(maker);
        _create(wanted);
    }

    function _withdraw() private view returns (bytes memory) {
        return abi.encodeCall(IEscrow.withdraw, (SECRET, i));
    }

    function _cancel() private view returns (bytes memory) {
        return abi.encodeCall(IEscrow.cancel, (i));
    }

    function _try(bytes memory data) private returns (bool ok) {
        vm.prank(TAKER);
        (ok,) = address(escrow).call(data);
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
