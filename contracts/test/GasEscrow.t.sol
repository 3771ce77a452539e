// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import { IEscrow } from "../src/interfaces/IEscrow.sol";
import { IEscrowSrc } from "../src/interfaces/IEscrowSrc.sol";
import { Immutables } from "../src/types/Immutables.sol";
import { GasMeter } from "./support/GasMeter.sol";

/// @title Gas of every escrow call. Drift from snapshots/ fails.
/// forge-config: default.isolate = true
contract GasEscrowTest is GasMeter {
    address private immutable RECEIVER = makeAddr("receiver");

    function test_src_withdraw() public {
        _src("withdraw", TAKER, TAKER, SRC_WITHDRAWAL);
    }

    function test_src_withdrawTo() public {
        _src("withdrawTo", TAKER, RECEIVER, SRC_WITHDRAWAL);
    }

    function test_src_publicWithdraw() public {
        _src("publicWithdraw", HOLDER, TAKER, SRC_PUBLIC_WITHDRAWAL);
    }

    function test_src_cancel() public {
        _src("cancel", TAKER, MAKER, SRC_CANCELLATION);
    }

    function test_src_publicCancel() public {
        _src("publicCancel", HOLDER, MAKER, SRC_PUBLIC_CANCELLATION);
    }

    function test_src_rescueFunds() public {
        _src("rescueFunds", TAKER, TAKER, RESCUE_DELAY);
    }

    function test_src_rescueFunds_native() public {
        Fill memory fill = plainFill(TAKER, 0);
        address escrow = fillAs(TAKER, fill);
        skip(RESCUE_DELAY);
        bytes memory data = abi.encodeCall(IEscrow.rescueFunds, (address(0), DEPOSIT, fill.immutables));
        measure("EscrowSrc.rescueFunds | native", TAKER, escrow, data);
    }

    function test_dst_withdraw() public {
        _dst("withdraw", TAKER, MAKER, DST_WITHDRAWAL);
    }

    function test_dst_publicWithdraw() public {
        _dst("publicWithdraw", HOLDER, MAKER, DST_PUBLIC_WITHDRAWAL);
    }

    function test_dst_cancel() public {
        _dst("cancel", TAKER, TAKER, DST_CANCELLATION);
    }

    function test_dst_rescueFunds() public {
        _dst("rescueFunds", TAKER, TAKER, RESCUE_DELAY);
    }

    function test_dst_native() public {
        _dstNative("withdraw | native, cold recipient", "withdraw", TAKER, false, DST_WITHDRAWAL);
        _dstNative("withdraw | native, warm recipient", "withdraw", TAKER, true, DST_WITHDRAWAL);
        _dstNative("publicWithdraw | native, cold recipient", "publicWithdraw", HOLDER, false, DST_PUBLIC_WITHDRAWAL);
        _dstNative("publicWithdraw | native, warm recipient", "publicWithdraw", HOLDER, true, DST_PUBLIC_WITHDRAWAL);
        _dstNative("cancel | native", "cancel", TAKER, true, DST_CANCELLATION);
        _dstNative("rescueFunds | native", "rescueFunds", TAKER, true, RESCUE_DELAY);
    }

    function _src(string memory call, address caller, address recipient, uint256 wait) private {
        Fill memory fill = plainFill(TAKER, 0);
        address escrow = fillAs(TAKER, fill);
        skip(wait);
        _both(string.concat("EscrowSrc.", call), "", caller, recipient, escrow, _data(call, fill.immutables));
    }

    function _dst(string memory call, address caller, address recipient, uint256 wait) private {
        (address escrow, Immutables memory i) = createDst(dstImmutables(), TAKER);
        skip(wait);
        _both(string.concat("EscrowDst.", call), "erc20, ", caller, recipient, escrow, _data(call, i));
    }

    /// @dev Cold: the recipient has no tokens before; warm: it has some.
    function _both(
        string memory call,
        string memory kind,
        address caller,
        address recipient,
        address escrow,
        bytes memory data
    ) private {
        if (keccak256(bytes(call)) == keccak256("EscrowSrc.rescueFunds")) kind = "erc20, ";
        uint256 before = vm.snapshotState();
        token.burn(recipient, token.balanceOf(recipient));
        measure(string.concat(call, " | ", kind, "cold recipient"), caller, escrow, data);
        vm.revertToState(before);
        token.mint(recipient, 1);
        measure(string.concat(call, " | ", kind, "warm recipient"), caller, escrow, data);
    }

    function _dstNative(string memory name, string memory call, address caller, bool makerExists, uint256 wait)
        private
    {
        uint256 before = vm.snapshotState();
        Immutables memory i = dstImmutables();
        i.token = word(address(0));
        if (!makerExists) i.maker = word(RECEIVER);
        else vm.deal(MAKER, 1);
        address escrow;
        (escrow, i) = createDst(i, TAKER);
        skip(wait);
        measure(string.concat("EscrowDst.", name), caller, escrow, _data(call, i));
        vm.revertToState(before);
    }

    function _data(string memory call, Immutables memory i) private view returns (bytes memory) {
        bytes32 name = keccak256(bytes(call));
        if (name == keccak256("withdraw")) return abi.encodeCall(IEscrow.withdraw, (SECRET, i));
        if (name == keccak256("publicWithdraw")) return abi.encodeCall(IEscrow.publicWithdraw, (SECRET, i));
        if (name == keccak256("withdrawTo")) return abi.encodeCall(IEscrowSrc.withdrawTo, (SECRET, RECEIVER, i));
        if (name == keccak256("cancel")) return abi.encodeCall(IEscrow.cancel, (i));
        if (name == keccak256("publicCancel")) return abi.encodeCall(IEscrowSrc.publicCancel, (i));
        return abi.encodeCall(
            IEscrow.rescueFunds, (i.token.get(), i.token.get() == address(0) ? i.amount + i.safetyDeposit : i.amount, i)
        );
    }
}
