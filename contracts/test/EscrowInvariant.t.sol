// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import { IEscrow } from "../src/interfaces/IEscrow.sol";
import { IEscrowSrc } from "../src/interfaces/IEscrowSrc.sol";
import { Immutables } from "../src/types/Immutables.sol";
import { Orders } from "./support/Orders.sol";

/// @title Anybody calls anything at any time: an escrow pays once, in its window, and nothing is lost.
contract EscrowInvariantTest is Orders {
    struct Made {
        address escrow;
        bool src;
        bool settled;
        uint256 birth;
        Immutables i;
    }

    Made[] private made;
    uint256 private funded;
    uint256 private paid;

    function setUp() public override {
        super.setUp();
        bytes4[] memory selectors = new bytes4[](4);
        selectors[0] = this.createSrc.selector;
        selectors[1] = this.createDst_.selector;
        selectors[2] = this.settle.selector;
        selectors[3] = this.passDays.selector;
        targetSelector(FuzzSelector({ addr: address(this), selectors: selectors }));
        targetContract(address(this));
    }

    function createSrc() external {
        Fill memory fill = plainFill(TAKER, made.length);
        address escrow = fillAs(TAKER, fill);
        made.push(Made(escrow, true, false, vm.getBlockTimestamp(), fill.immutables));
        funded += MAKING;
    }

    function createDst_(uint96 amount) external {
        Immutables memory wanted = dstImmutables();
        wanted.orderHash = bytes32(made.length);
        wanted.amount = amount;
        (address escrow, Immutables memory i) = createDst(wanted, TAKER);
        made.push(Made(escrow, false, amount == 0, vm.getBlockTimestamp(), i));
        funded += amount;
    }

    function passDays(uint8 days_) external {
        skip(uint256(days_ % 4) * 1 days);
    }

    function settle(uint256 which, uint8 who, uint8 call, bool rightSecret, uint16 wait) external {
        skip(wait % 400);
        if (made.length == 0) return;
        Made storage m = made[which % made.length];
        address caller = [TAKER, HOLDER, OUTSIDER, MAKER][who % 4];
        bytes32 secret = rightSecret ? SECRET : bytes32("wrong");
        uint256 held = token.balanceOf(m.escrow);
        (bytes memory data, uint256 from, uint256 until) = _callOf(m, call % 6, secret);
        vm.prank(caller);
        (bool ok,) = m.escrow.call(data);
        if (!ok || m.i.amount == 0) return;

        assertFalse(m.settled, "paid twice");
        assertGe(vm.getBlockTimestamp(), m.birth + from, "too early");
        assertLt(vm.getBlockTimestamp(), m.birth + until, "too late");
        assertTrue(caller == TAKER || caller == HOLDER, "paid by a stranger");
        if (until == SRC_CANCELLATION || until == DST_CANCELLATION) assertTrue(rightSecret, "paid without the secret");
        assertEq(held, m.i.amount);
        m.settled = true;
        paid += held;
    }

    function invariant_fundsInAreFundsOutPlusFundsHeld() public view {
        uint256 held;
        for (uint256 n = 0; n < made.length; ++n) {
            held += token.balanceOf(made[n].escrow);
        }
        assertEq(funded, paid + held);
    }

    function invariant_anEscrowHoldsAllOrNothing() public view {
        for (uint256 n = 0; n < made.length; ++n) {
            Made storage m = made[n];
            uint256 expected = m.settled ? 0 : m.i.amount;
            assertEq(token.balanceOf(m.escrow), expected);
            if (!m.settled) assertEq(m.escrow.balance, DEPOSIT);
        }
    }

    /// @dev Calldata and the window it is open in; the end of time where there is none.
    function _callOf(Made storage m, uint256 call, bytes32 secret)
        private
        view
        returns (bytes memory data, uint256 from, uint256 until)
    {
        Immutables memory i = m.i;
        uint256 end = m.src ? SRC_CANCELLATION : DST_CANCELLATION;
        if (call == 0) {
            return (abi.encodeCall(IEscrow.withdraw, (secret, i)), m.src ? SRC_WITHDRAWAL : DST_WITHDRAWAL, end);
        }
        if (call == 1) {
            return (
                abi.encodeCall(IEscrow.publicWithdraw, (secret, i)),
                m.src ? SRC_PUBLIC_WITHDRAWAL : DST_PUBLIC_WITHDRAWAL,
                end
            );
        }
        if (call == 2) return (abi.encodeCall(IEscrow.cancel, (i)), end, type(uint128).max);
        if (call == 3) {
            return (abi.encodeCall(IEscrowSrc.publicCancel, (i)), SRC_PUBLIC_CANCELLATION, type(uint128).max);
        }
        if (call == 4) {
            return (abi.encodeCall(IEscrowSrc.withdrawTo, (secret, OUTSIDER, i)), SRC_WITHDRAWAL, SRC_CANCELLATION);
        }
        return (abi.encodeCall(IEscrow.rescueFunds, (address(token), i.amount, i)), RESCUE_DELAY, type(uint128).max);
    }
}
