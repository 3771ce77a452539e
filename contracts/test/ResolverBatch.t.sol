// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import { IEscrow } from "../src/interfaces/IEscrow.sol";
import { IResolver } from "../src/interfaces/IResolver.sol";
import { Immutables } from "../src/types/Immutables.sol";
import { Ours } from "./support/Ours.sol";

interface IHostileToken {
    function mint(address account, uint256 amount) external;
    function setMode(uint8 mode) external;
}

interface IHookToken {
    function mint(address account, uint256 amount) external;
    function setHook(address target, bytes calldata data) external;
    function entered() external view returns (bool);
    function balanceOf(address account) external view returns (uint256);
}

/// @title Batches: one bad item undoes only itself, and short gas undoes all.
contract ResolverBatchTest is Ours {
    uint256 private constant ITEM_GAS = 300_000;
    uint256 private constant BAD = 4;

    function test_batch_runsAllSixCalls() public {
        Fill memory fill = ourFill(0);
        bytes[] memory calls = new bytes[](2);
        calls[0] = ourFillCall(fill);
        calls[1] = _lockCall(ourDst());
        _assertAllDone(_run(calls));
        skip(DST_WITHDRAWAL);
        Immutables memory i = ourDst();
        i.timelocks = fill.immutables.timelocks;
        calls[0] = abi.encodeCall(resolver.withdrawDst, (SECRET, i));
        calls[1] = abi.encodeCall(resolver.withdrawSrc, (SECRET, fill.immutables));
        _assertAllDone(_run(calls));
    }

    function test_batch_cancelsBothSides() public {
        Fill memory fill = ourFill(0);
        fillOurs(fill);
        (, Immutables memory i) = lock(ourDst());
        skip(SRC_CANCELLATION);
        bytes[] memory calls = new bytes[](2);
        calls[0] = abi.encodeCall(resolver.cancelDst, (i));
        calls[1] = abi.encodeCall(resolver.cancelSrc, (fill.immutables));
        _assertAllDone(_run(calls));
    }

    function test_batch_secondLockOfAHashlockFailsAlone() public {
        bytes[] memory calls = new bytes[](2);
        calls[0] = _lockCall(ourDst());
        calls[1] = _lockCall(ourDst());
        vm.expectEmit(address(resolver));
        emit IResolver.ItemFailed(1, IResolver.AlreadyLocked.selector);
        bool[] memory done = _run(calls);
        assertTrue(done[0]);
        assertFalse(done[1]);
    }

    function test_batch_nineOfTenPayAroundAReturnBomb() public {
        _nineOfTen(1, bytes4(0));
    }

    function test_batch_nineOfTenPayAroundARevertBomb() public {
        _nineOfTen(2, bytes4(keccak256("SafeTransferFailed()")));
    }

    function test_batch_nineOfTenPayAroundAGasBurner() public {
        _nineOfTen(3, bytes4(keccak256("SafeTransferFailed()")));
    }

    function test_batch_revertsWholeWhenGasIsShort() public {
        bytes[] memory calls = new bytes[](2);
        (calls[0], calls[1]) = (_lockCall(_numbered(1, address(token))), _lockCall(_numbered(2, address(token))));
        uint256[] memory gasLimits = new uint256[](2);
        (gasLimits[0], gasLimits[1]) = (ITEM_GAS, ITEM_GAS);
        vm.prank(OPERATOR);
        vm.expectRevert(abi.encodeWithSelector(IResolver.OutOfGasBudget.selector, 1));
        resolver.tryBatch{ gas: ITEM_GAS + 100_000 }(calls, gasLimits);
        (address locked,) = resolver.lockOf(bytes32(uint256(1)));
        assertEq(locked, address(0));
    }

    /// @dev Whatever gas is sent: all items got their share, or nothing happened at all.
    function test_batch_neverStarvesAnItem(uint256 sent) public {
        bytes[] memory calls = new bytes[](2);
        (calls[0], calls[1]) = (_lockCall(_numbered(1, address(token))), _lockCall(_numbered(2, address(token))));
        uint256[] memory gasLimits = new uint256[](2);
        (gasLimits[0], gasLimits[1]) = (ITEM_GAS, ITEM_GAS);
        bytes memory data = abi.encodeCall(resolver.tryBatch, (calls, gasLimits));
        sent = bound(sent, 30_000, 1_000_000);
        vm.prank(OPERATOR);
        (bool ok, bytes memory result) = address(resolver).call{ gas: sent }(data);
        if (ok) _assertAllDone(abi.decode(result, (bool[])));
        (address first,) = resolver.lockOf(bytes32(uint256(1)));
        (address second,) = resolver.lockOf(bytes32(uint256(2)));
        assertEq(first != address(0), ok);
        assertEq(second != address(0), ok);
    }

    function test_batch_refusesOtherFunctions() public {
        bytes[] memory calls = new bytes[](1);
        bytes[6] memory others = [
            abi.encodeCall(resolver.sweep, (address(token), 1)),
            abi.encodeCall(resolver.tryBatch, (new bytes[](0), new uint256[](0))),
            abi.encodeCall(resolver.pause, ()),
            abi.encodeCall(resolver.setOperator, (OUTSIDER, true)),
            abi.encodeWithSignature("transfer(address,uint256)", OUTSIDER, 1),
            bytes("")
        ];
        uint256[] memory gasLimits = new uint256[](1);
        for (uint256 n = 0; n < others.length; ++n) {
            calls[0] = others[n];
            vm.prank(OPERATOR);
            vm.expectRevert(abi.encodeWithSelector(IResolver.SelectorNotAllowed.selector, bytes4(others[n])));
            resolver.tryBatch(calls, gasLimits);
        }
    }

    function test_batch_refusesUnequalLengths() public {
        vm.prank(OPERATOR);
        vm.expectRevert(IResolver.LengthMismatch.selector);
        resolver.tryBatch(new bytes[](1), new uint256[](2));
    }

    /// @dev Tokens that call back in the middle of a lock get nowhere with any function.
    function test_reentry_movesNothing(uint8 which) public {
        IHookToken hook = IHookToken(vm.deployCode("HookToken.sol:HookToken"));
        hook.mint(address(resolver), 10 * TAKING);
        vm.prank(OWNER);
        resolver.setLimit(address(hook), uint128(TAKING), 0);
        Immutables memory i = _numbered(1, address(hook));
        hook.setHook(address(resolver), _attack(which, i));
        vm.prank(OPERATOR);
        resolver.deployDst(i, deadline(), MARGIN, vm.getBlockTimestamp());
        assertFalse(hook.entered());
        assertEq(hook.balanceOf(address(resolver)), 9 * TAKING);
        assertEq(address(resolver).balance, FLOAT - DEPOSIT);
    }

    /// @dev The same for a maker's token that calls back in the middle of a fill.
    function test_reentry_duringAFillMovesNothing(uint8 which) public {
        IHookToken hook = IHookToken(vm.deployCode("HookToken.sol:HookToken"));
        hook.mint(MAKER, MAKING);
        vm.prank(MAKER);
        (bool ok,) = address(hook).call(abi.encodeWithSignature("approve(address,uint256)", lop(), MAKING));
        assertTrue(ok);
        Fill memory fill = ourFill(0);
        fill.order.makerAsset = word(address(hook));
        fill.immutables.token = word(address(hook));
        sign(fill);
        uint256 stock = token.balanceOf(address(resolver));
        hook.setHook(address(resolver), _attack(which, ourDst()));
        address escrow = fillOurs(fill);
        assertFalse(hook.entered());
        assertEq(hook.balanceOf(escrow), MAKING);
        assertEq(token.balanceOf(address(resolver)), stock);
        assertEq(address(resolver).balance, FLOAT - DEPOSIT);
    }

    function _attack(uint8 which, Immutables memory i) private view returns (bytes memory) {
        uint256 later = deadline();
        bytes[7] memory calls = [
            abi.encodeCall(resolver.deployDst, (i, later, MARGIN, later)),
            ourFillCall(ourFill(0)),
            abi.encodeCall(resolver.withdrawDst, (SECRET, born(i))),
            abi.encodeCall(resolver.cancelDst, (born(i))),
            abi.encodeCall(resolver.sweep, (address(token), 1)),
            abi.encodeCall(resolver.tryBatch, (new bytes[](0), new uint256[](0))),
            abi.encodeCall(resolver.setOperator, (OUTSIDER, true))
        ];
        return calls[which % 7];
    }

    /// @dev Ten payouts, one of them in a hostile token.
    function _nineOfTen(uint8 mode, bytes4 reason) private {
        address hostile = vm.deployCode("HostileToken.sol:HostileToken");
        IHostileToken(hostile).mint(address(resolver), TAKING);
        vm.prank(OWNER);
        resolver.setLimit(hostile, uint128(TAKING), 0);
        bytes[] memory calls = new bytes[](10);
        for (uint256 n = 0; n < 10; ++n) {
            Immutables memory i = _numbered(n, n == BAD ? hostile : address(token));
            i.hashlock = keccak256(abi.encodePacked(bytes32(n)));
            i.amount = TAKING / 2;
            (, i) = lock(i);
            calls[n] = abi.encodeCall(resolver.withdrawDst, (bytes32(n), i));
        }
        IHostileToken(hostile).setMode(mode);
        skip(DST_WITHDRAWAL);
        uint256 had = token.balanceOf(MAKER);
        if (reason != 0) {
            vm.expectEmit(address(resolver));
            emit IResolver.ItemFailed(BAD, reason);
        }
        bool[] memory done = _run(calls);
        for (uint256 n = 0; n < 10; ++n) {
            assertEq(done[n], n != BAD, vm.toString(n));
        }
        assertEq(token.balanceOf(MAKER) - had, 9 * TAKING / 2);
    }

    function _numbered(uint256 n, address asset) private view returns (Immutables memory i) {
        i = ourDst();
        i.hashlock = bytes32(n);
        i.token = word(asset);
    }

    function _lockCall(Immutables memory i) private view returns (bytes memory) {
        return abi.encodeCall(resolver.deployDst, (i, deadline(), MARGIN, vm.getBlockTimestamp()));
    }

    function _run(bytes[] memory calls) private returns (bool[] memory) {
        uint256[] memory gasLimits = new uint256[](calls.length);
        for (uint256 n = 0; n < calls.length; ++n) {
            gasLimits[n] = ITEM_GAS;
        }
        vm.prank(OPERATOR);
        return resolver.tryBatch(calls, gasLimits);
    }

    function _assertAllDone(bool[] memory done) private pure {
        for (uint256 n = 0; n < done.length; ++n) {
            assertTrue(done[n], vm.toString(n));
        }
    }
}
