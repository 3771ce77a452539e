// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import { Immutables } from "../src/types/Immutables.sol";
import { GasMeter } from "./support/GasMeter.sol";

/// @title Gas of the resolver's own calls beside the reference's example resolver. Drift from snapshots/ fails.
/// @dev Names are the reference's, for pairing; ours locks each hashlock once, which costs a storage slot.
/// forge-config: default.isolate = true
contract GasResolverTest is GasMeter {
    string private constant SRC = "ResolverExample.arbitraryCalls(EscrowSrc.withdraw) | ";
    string private constant DST = "ResolverExample.arbitraryCalls(EscrowDst.withdraw) | ";

    function test_deploySrc() public {
        bytes memory data = ourFillCall(ourFill(0));
        measure("ResolverExample.deploySrc | single-fill, minimal order", OPERATOR, address(resolver), data);
    }

    function test_deployDst() public {
        _measureLock("erc20, infinite allowance", ourDst());
    }

    function test_deployDst_native() public {
        Immutables memory i = ourDst();
        i.token = word(address(0));
        _measureLock("native", i);
    }

    function test_withdrawSrc() public {
        Fill memory fill = ourFill(0);
        fillOurs(fill);
        skip(SRC_WITHDRAWAL);
        bytes memory data = abi.encodeCall(resolver.withdrawSrc, (SECRET, fill.immutables));
        uint256 before = vm.snapshotState();
        token.burn(address(resolver), token.balanceOf(address(resolver)));
        measure(string.concat(SRC, "cold recipient"), OPERATOR, address(resolver), data);
        vm.revertToState(before);
        measure(string.concat(SRC, "warm recipient"), OPERATOR, address(resolver), data);
    }

    function test_withdrawDst() public {
        (, Immutables memory i) = lock(ourDst());
        skip(DST_WITHDRAWAL);
        bytes memory data = abi.encodeCall(resolver.withdrawDst, (SECRET, i));
        uint256 before = vm.snapshotState();
        token.burn(MAKER, token.balanceOf(MAKER));
        measure(string.concat(DST, "erc20, cold recipient"), OPERATOR, address(resolver), data);
        vm.revertToState(before);
        measure(string.concat(DST, "erc20, warm recipient"), OPERATOR, address(resolver), data);
    }

    function _measureLock(string memory variant, Immutables memory i) private {
        bytes memory data = abi.encodeCall(resolver.deployDst, (i, deadline(), MARGIN, vm.getBlockTimestamp()));
        measure(string.concat("ResolverExample.deployDst | ", variant), OPERATOR, address(resolver), data);
    }
}
