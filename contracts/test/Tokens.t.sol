// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import { IEscrow } from "../src/interfaces/IEscrow.sol";
import { IResolver } from "../src/interfaces/IResolver.sol";
import { TokenLib } from "../src/libraries/TokenLib.sol";
import { Immutables } from "../src/types/Immutables.sol";
import { Ours } from "./support/Ours.sol";
import { IERC20Metadata } from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";

interface IAnyToken {
    function mint(address account, uint256 amount) external;
    function balanceOf(address account) external view returns (uint256);
    function allowance(address owner, address spender) external view returns (uint256);
    function setBroken(bool value) external;
    function setBlocked(address account, bool value) external;
}

/// @title Our own tokens, and swaps of tokens that do not behave.
contract TokensTest is Ours {
    function test_bmnToken_givesTheWholeSupplyToTheHolder(uint256 supply) public {
        IERC20Metadata bmn = IERC20Metadata(vm.deployCode("BmnToken.sol:BmnToken", abi.encode(OUTSIDER, supply)));
        assertEq(bmn.name(), "Bridge Me Not");
        assertEq(bmn.symbol(), "BMN");
        assertEq(bmn.decimals(), 18);
        assertEq(bmn.totalSupply(), supply);
        assertEq(bmn.balanceOf(OUTSIDER), supply);
    }

    function test_bmnToken_givesNobodyAnAllowance(address spender) public {
        IERC20Metadata bmn = IERC20Metadata(vm.deployCode("BmnToken.sol:BmnToken", abi.encode(OUTSIDER, 1)));
        assertEq(bmn.allowance(OUTSIDER, spender), 0);
        assertEq(bmn.allowance(OUTSIDER, 0x000000000022D473030F116dDEE9F6B43aC78BA3), 0);
    }

    function test_noopToken_acceptsEveryMove(address from, address to, uint256 amount) public {
        (bool ok, bytes memory result) =
            noop.call(abi.encodeWithSignature("transferFrom(address,address,uint256)", from, to, amount));
        assertTrue(ok);
        assertTrue(abi.decode(result, (bool)));
    }

    function test_feeToken_isRefused() public {
        IAnyToken fee = _stocked("FeeToken");
        _expectLock(fee, IResolver.ShortTransfer.selector);
        assertEq(fee.allowance(address(resolver), address(factory)), 0);
    }

    function test_infiniteAllowanceToken_isRefused() public {
        _expectLock(_stocked("InfiniteAllowanceToken"), IResolver.AllowanceLeft.selector);
    }

    function test_noReturnToken_swapsAndLocksTwice() public {
        IAnyToken asset = _stocked("NoReturnToken");
        (, Immutables memory i) = lock(_numbered(asset, 0));
        lock(_numbered(asset, 2));
        skip(DST_CANCELLATION);
        vm.prank(OPERATOR);
        resolver.cancelDst(i);
        assertEq(asset.balanceOf(address(resolver)), 9 * TAKING);
        vm.prank(OPERATOR);
        resolver.sweep(address(asset), TAKING);
        assertEq(asset.balanceOf(TREASURY), TAKING);
    }

    function test_falseToken_failsInsteadOfPretending() public {
        IAnyToken asset = _stocked("FalseToken");
        (, Immutables memory i) = lock(_numbered(asset, 0));
        asset.setBroken(true);
        _expectLock(asset, TokenLib.SafeTransferFromFailed.selector);
        skip(DST_CANCELLATION);
        vm.startPrank(OPERATOR);
        vm.expectRevert(TokenLib.SafeTransferFailed.selector);
        resolver.cancelDst(i);
        vm.expectRevert(TokenLib.SafeTransferFailed.selector);
        resolver.sweep(address(asset), 1);
        asset.setBroken(false);
        resolver.cancelDst(i);
        vm.stopPrank();
    }

    function test_blocklistToken_freezesOnlyUntilCancellation() public {
        IAnyToken asset = _stocked("BlocklistToken");
        (, Immutables memory i) = lock(_numbered(asset, 0));
        asset.setBlocked(MAKER, true);
        skip(DST_WITHDRAWAL);
        vm.expectRevert();
        resolver.withdrawDst(SECRET, i);
        skip(DST_CANCELLATION);
        vm.prank(OPERATOR);
        resolver.cancelDst(i);
        assertEq(asset.balanceOf(address(resolver)), 10 * TAKING);
    }

    function test_tokenWithoutCode_isRefused() public {
        vm.prank(OWNER);
        resolver.setLimit(OUTSIDER, uint128(TAKING), 0);
        _expectLock(IAnyToken(OUTSIDER), TokenLib.ApproveFailed.selector);
    }

    function test_escrowOfAHookToken_cannotBePaidTwice() public {
        IAnyToken hook = _stocked("HookToken");
        Immutables memory i = _numbered(hook, 0);
        i.taker = word(TAKER);
        hook.mint(TAKER, TAKING);
        vm.deal(TAKER, DEPOSIT);
        Immutables memory made = born(i);
        address escrow = factory.addressOfEscrowDst(made);
        vm.startPrank(TAKER);
        (bool ok,) = address(hook).call(abi.encodeWithSignature("approve(address,uint256)", factory, TAKING));
        assertTrue(ok);
        factory.createDstEscrow{ value: DEPOSIT }(i, vm.getBlockTimestamp() + DST_CANCELLATION);
        vm.stopPrank();
        skip(DST_WITHDRAWAL);
        bytes memory again = abi.encodeCall(IEscrow.withdraw, (SECRET, made));
        (ok,) = address(hook).call(abi.encodeWithSignature("setHook(address,bytes)", escrow, again));
        vm.prank(TAKER);
        IEscrow(escrow).withdraw(SECRET, made);
        assertEq(hook.balanceOf(MAKER), TAKING);
        assertEq(TAKER.balance, DEPOSIT);
    }

    function _stocked(string memory name) private returns (IAnyToken asset) {
        asset = IAnyToken(vm.deployCode(string.concat(name, ".sol:", name)));
        asset.mint(address(resolver), 10 * TAKING);
        vm.prank(OWNER);
        resolver.setLimit(address(asset), uint128(TAKING), 0);
    }

    function _numbered(IAnyToken asset, uint256 n) private view returns (Immutables memory i) {
        i = ourDst();
        i.token = word(address(asset));
        i.hashlock = n == 0 ? HASHLOCK : bytes32(n);
    }

    function _expectLock(IAnyToken asset, bytes4 error) private {
        Immutables memory i = _numbered(asset, 3);
        uint256 srcCancellation = deadline();
        vm.prank(OPERATOR);
        vm.expectRevert(error);
        resolver.deployDst(i, srcCancellation, MARGIN, srcCancellation);
    }
}
