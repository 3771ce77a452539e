// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import { IEscrowFactory } from "../../src/interfaces/IEscrowFactory.sol";
import { Address } from "../../src/types/Address.sol";
import { Immutables } from "../../src/types/Immutables.sol";
import { Timelocks } from "../../src/types/Timelocks.sol";
import { IPlainToken } from "./IPlainToken.sol";
import { Test } from "forge-std/Test.sol";

/// @title One chain with our factory, tokens and people, and builders of escrow parameters.
abstract contract Fixture is Test {
    uint256 internal constant MAKING = 3e17;
    uint256 internal constant TAKING = 5e17;
    uint256 internal constant DEPOSIT = 2e13;
    uint32 internal constant RESCUE_DELAY = 691_200;
    uint256 internal constant START = 1_800_000_000;

    uint256 internal constant SRC_WITHDRAWAL = 120;
    uint256 internal constant SRC_PUBLIC_WITHDRAWAL = 500;
    uint256 internal constant SRC_CANCELLATION = 1020;
    uint256 internal constant SRC_PUBLIC_CANCELLATION = 1530;
    uint256 internal constant DST_WITHDRAWAL = 300;
    uint256 internal constant DST_PUBLIC_WITHDRAWAL = 540;
    uint256 internal constant DST_CANCELLATION = 900;

    bytes32 internal constant SECRET = keccak256("secret of the fixture");
    bytes32 internal constant HASHLOCK = keccak256(abi.encodePacked(SECRET));

    address internal immutable LOP = makeAddr("order protocol");
    address internal immutable TAKER = makeAddr("taker");
    address internal immutable HOLDER = makeAddr("holder");
    address internal immutable OUTSIDER = makeAddr("outsider");
    uint256 internal immutable MAKER_KEY = uint256(keccak256("maker"));
    address internal immutable MAKER = vm.addr(MAKER_KEY);

    IPlainToken internal token;
    IPlainToken internal accessToken;
    address internal noop;
    IEscrowFactory internal factory;

    function setUp() public virtual {
        vm.warp(START);
        token = IPlainToken(vm.deployCode("PlainToken.sol:PlainToken"));
        accessToken = IPlainToken(vm.deployCode("PlainToken.sol:PlainToken"));
        noop = vm.deployCode("NoopToken.sol:NoopToken");
        accessToken.mint(HOLDER, 1);
        factory = newFactory(lop());
    }

    /// @dev Who may call the order interactions of the factory.
    function lop() internal virtual returns (address) {
        return LOP;
    }

    function newFactory(address orderProtocol) internal returns (IEscrowFactory) {
        bytes memory args =
            abi.encode(orderProtocol, address(0), address(accessToken), address(0), RESCUE_DELAY, RESCUE_DELAY);
        return IEscrowFactory(vm.deployCode("EscrowFactory.sol:EscrowFactory", args));
    }

    function offsets() internal pure returns (uint256) {
        return SRC_WITHDRAWAL | SRC_PUBLIC_WITHDRAWAL << 32 | SRC_CANCELLATION << 64 | SRC_PUBLIC_CANCELLATION << 96
            | DST_WITHDRAWAL << 128 | DST_PUBLIC_WITHDRAWAL << 160 | DST_CANCELLATION << 192;
    }

    function word(address account) internal pure returns (Address) {
        return Address.wrap(uint160(account));
    }

    /// @dev Destination immutables as a caller of the factory writes them; taker is the outside account.
    function dstImmutables() internal view returns (Immutables memory) {
        return Immutables({
            orderHash: keccak256("order"),
            hashlock: HASHLOCK,
            maker: word(MAKER),
            taker: word(TAKER),
            token: word(address(token)),
            amount: TAKING,
            safetyDeposit: DEPOSIT,
            timelocks: Timelocks.wrap(offsets())
        });
    }

    function born(Immutables memory i) internal view returns (Immutables memory copy) {
        copy = clone(i);
        copy.timelocks = copy.timelocks.setDeployedAt(vm.getBlockTimestamp());
    }

    function clone(Immutables memory i) internal pure returns (Immutables memory) {
        return abi.decode(abi.encode(i), (Immutables));
    }

    function dstValue(Immutables memory i) internal pure returns (uint256) {
        return i.safetyDeposit + (i.token.get() == address(0) ? i.amount : 0);
    }

    /// @dev Create the destination escrow from `funder`, who is given what it takes.
    function createDst(Immutables memory i, address funder) internal returns (address escrow, Immutables memory made) {
        made = born(i);
        escrow = factory.addressOfEscrowDst(made);
        if (i.token.get() == address(token)) {
            token.mint(funder, i.amount);
            vm.prank(funder);
            token.approve(address(factory), i.amount);
        }
        uint256 value = dstValue(i);
        vm.deal(funder, funder.balance + value);
        vm.prank(funder);
        factory.createDstEscrow{ value: value }(i, vm.getBlockTimestamp() + DST_CANCELLATION);
    }

    /// @dev The escrow data of an order: the last 160 bytes of its post-interaction field.
    function escrowData(bytes32 hashlockInfo) internal view returns (bytes memory) {
        return abi.encode(
            IEscrowFactory.ExtraDataArgs({
                hashlockInfo: hashlockInfo,
                dstChainId: 10,
                dstToken: word(address(token)),
                deposits: DEPOSIT << 128 | DEPOSIT,
                timelocks: Timelocks.wrap(offsets())
            })
        );
    }

    /// @dev A list with one entry, open at once.
    function listed(address taker) internal view returns (bytes memory) {
        return abi.encodePacked(uint32(vm.getBlockTimestamp()), uint80(uint160(taker)), uint16(0), uint8(1 << 3));
    }
}
