// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import { IResolver } from "../../src/interfaces/IResolver.sol";
import { Immutables } from "../../src/types/Immutables.sol";
import { Orders } from "./Orders.sol";

/// @title Our resolver's contract with money, limits and one operator, on the real order protocol.
abstract contract Ours is Orders {
    uint256 internal constant FLOAT = 1 ether;
    uint256 internal constant MARGIN = 60;

    address internal immutable OWNER = makeAddr("owner");
    address internal immutable OPERATOR = makeAddr("operator");
    address internal immutable TREASURY = makeAddr("treasury");

    IResolver internal resolver;

    function setUp() public virtual override {
        super.setUp();
        bytes memory args = abi.encode(lop(), address(factory), OWNER, TREASURY);
        resolver = IResolver(payable(vm.deployCode("Resolver.sol:Resolver", args)));
        vm.startPrank(OWNER);
        resolver.setOperator(OPERATOR, true);
        resolver.setLimit(address(0), uint128(FLOAT), 0);
        resolver.setLimit(address(token), uint128(100 * TAKING), 0);
        resolver.setMinMargin(uint32(MARGIN));
        vm.stopPrank();
        vm.deal(address(resolver), FLOAT);
        token.mint(address(resolver), 10 * TAKING);
    }

    /// @dev Destination immutables with us as taker.
    function ourDst() internal view returns (Immutables memory i) {
        i = dstImmutables();
        i.taker = word(address(resolver));
    }

    function deadline() internal view returns (uint256) {
        return vm.getBlockTimestamp() + DST_CANCELLATION + MARGIN;
    }

    function lock(Immutables memory i) internal returns (address escrow, Immutables memory made) {
        made = born(i);
        uint256 srcCancellation = deadline();
        uint256 notAfter = vm.getBlockTimestamp();
        vm.prank(OPERATOR);
        escrow = resolver.deployDst(i, srcCancellation, MARGIN, notAfter);
    }

    function ourFill(uint256 nonce) internal view returns (Fill memory) {
        return plainFill(address(resolver), nonce);
    }

    function ourFillCall(Fill memory fill) internal view returns (bytes memory) {
        return abi.encodeCall(
            resolver.deploySrc,
            (
                fill.immutables,
                fill.order,
                fill.r,
                fill.vs,
                fill.amount,
                fill.takerTraits,
                abi.encodePacked(fill.extension, fill.interaction),
                vm.getBlockTimestamp()
            )
        );
    }

    function fillOurs(Fill memory fill) internal returns (address escrow) {
        escrow = srcEscrow(fill);
        callOurs(OPERATOR, ourFillCall(fill));
    }

    /// @dev Call the resolver; a revert comes through as it is.
    function callOurs(address caller, bytes memory data) internal {
        vm.prank(caller);
        (bool ok, bytes memory result) = address(resolver).call(data);
        if (!ok) {
            assembly ("memory-safe") {
                revert(add(result, 0x20), mload(result))
            }
        }
    }
}
