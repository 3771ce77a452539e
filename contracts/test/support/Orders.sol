// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import { ILimitOrderProtocol } from "../../src/interfaces/ILimitOrderProtocol.sol";
import { Immutables } from "../../src/types/Immutables.sol";
import { Order } from "../../src/types/Order.sol";
import { Timelocks } from "../../src/types/Timelocks.sol";
import { Fixture } from "./Fixture.sol";
import { SecretTree } from "./SecretTree.sol";

interface IOrderHasher {
    function hashOrder(Order calldata order) external view returns (bytes32);
}

/// @title The real order protocol, orders signed by the maker, and fills.
abstract contract Orders is Fixture {
    uint256 internal constant NO_PARTIAL_FILLS = 1 << 255;
    uint256 internal constant ALLOW_MULTIPLE_FILLS = 1 << 254;
    uint256 internal constant POST_INTERACTION = 1 << 251;
    uint256 internal constant HAS_EXTENSION = 1 << 249;
    uint256 internal constant MAKING_AMOUNT = 1 << 255;
    uint256 internal constant ARGS_HAVE_TARGET = 1 << 251;

    struct Fill {
        Order order;
        bytes extension;
        bytes interaction;
        bytes32 r;
        bytes32 vs;
        uint256 amount;
        uint256 takerTraits;
        Immutables immutables; // of the source escrow, born now
    }

    address private orderProtocol;

    function lop() internal override returns (address) {
        if (orderProtocol == address(0)) {
            string memory path = string.concat(vm.projectRoot(), "/devnet/out/LimitOrderProtocol.json");
            bytes memory code = vm.parseJsonBytes(vm.readFile(path), ".bytecode");
            bytes memory initCode = abi.encodePacked(code, abi.encode(address(0)));
            address made;
            assembly ("memory-safe") {
                made := create(0, add(initCode, 0x20), mload(initCode))
            }
            require(made != address(0), "order protocol not created");
            orderProtocol = made;
        }
        return orderProtocol;
    }

    function setUp() public virtual override {
        super.setUp();
        token.mint(MAKER, 100 * MAKING);
        vm.prank(MAKER);
        token.approve(orderProtocol, type(uint256).max);
    }

    function singleFillTraits(uint256 nonce) internal pure returns (uint256) {
        return NO_PARTIAL_FILLS | POST_INTERACTION | HAS_EXTENSION | nonce << 120;
    }

    function multiFillTraits() internal pure returns (uint256) {
        return ALLOW_MULTIPLE_FILLS | POST_INTERACTION | HAS_EXTENSION;
    }

    /// @dev An extension whose only field is the post-interaction.
    function postInteractionOnly(address target, bytes memory data) internal pure returns (bytes memory) {
        bytes memory field = abi.encodePacked(target, data);
        return abi.encodePacked(bytes32(field.length << 224), field);
    }

    /// @dev A signed order and the whole fill of it by `taker`.
    function fillOf(uint256 traits, bytes memory extension, bytes32 hashlock, address taker)
        internal
        view
        returns (Fill memory fill)
    {
        fill.order = Order({
            salt: uint160(uint256(keccak256(extension))),
            maker: word(MAKER),
            receiver: word(address(0)),
            makerAsset: word(address(token)),
            takerAsset: word(noop),
            makingAmount: MAKING,
            takingAmount: TAKING,
            makerTraits: traits
        });
        fill.extension = extension;
        fill.amount = MAKING;
        fill.immutables = Immutables({
            orderHash: bytes32(0),
            hashlock: hashlock,
            maker: word(MAKER),
            taker: word(taker),
            token: word(address(token)),
            amount: MAKING,
            safetyDeposit: DEPOSIT,
            timelocks: Timelocks.wrap(offsets()).setDeployedAt(vm.getBlockTimestamp())
        });
        sign(fill);
    }

    /// @dev Sign again after a change of the order, and set what follows from its hash.
    function sign(Fill memory fill) internal view {
        bytes32 orderHash = IOrderHasher(orderProtocol).hashOrder(fill.order);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(MAKER_KEY, orderHash);
        (fill.r, fill.vs) = (r, bytes32(uint256(s) | uint256(v - 27) << 255));
        fill.immutables.orderHash = orderHash;
        fill.takerTraits = takerTraits(fill);
    }

    function takerTraits(Fill memory fill) internal pure returns (uint256) {
        return MAKING_AMOUNT | fill.extension.length << 224 | fill.interaction.length << 200;
    }

    /// @dev A plain single-fill order through our factory with `taker` on its list.
    function plainFill(address taker, uint256 nonce) internal view returns (Fill memory) {
        bytes memory data = abi.encodePacked(listed(taker), escrowData(HASHLOCK));
        return fillOf(singleFillTraits(nonce), postInteractionOnly(address(factory), data), HASHLOCK, taker);
    }

    /// @dev A fill of `making` of a multi-fill order, with the secret number `index`.
    function partOf(SecretTree.Tree memory tree, bytes memory extension, uint256 making, uint256 index, address taker)
        internal
        view
        returns (Fill memory fill)
    {
        fill = fillOf(multiFillTraits(), extension, SecretTree.hashOf(tree, index), taker);
        fill.amount = making;
        fill.immutables.amount = making;
        fill.interaction = SecretTree.interaction(tree, address(factory), index);
        fill.takerTraits = takerTraits(fill);
    }

    function srcEscrow(Fill memory fill) internal view returns (address) {
        return factory.addressOfEscrowSrc(fill.immutables);
    }

    function fillCall(Fill memory fill) internal view returns (bytes memory) {
        bytes memory args = abi.encodePacked(srcEscrow(fill), fill.extension, fill.interaction);
        return abi.encodeCall(
            ILimitOrderProtocol.fillOrderArgs,
            (fill.order, fill.r, fill.vs, fill.amount, fill.takerTraits | ARGS_HAVE_TARGET, args)
        );
    }

    /// @dev Fill as a plain account: deposit first, then the order, in the same second.
    function fillAs(address taker, Fill memory fill) internal returns (address escrow) {
        escrow = srcEscrow(fill);
        vm.deal(escrow, fill.immutables.safetyDeposit);
        rawFill(taker, fill);
    }

    /// @dev Fill without a deposit; reverts with what the order protocol reverts with.
    function rawFill(address taker, Fill memory fill) internal {
        bytes memory data = fillCall(fill);
        vm.prank(taker);
        (bool ok, bytes memory result) = orderProtocol.call(data);
        if (!ok) {
            assembly ("memory-safe") {
                revert(add(result, 0x20), mload(result))
            }
        }
    }
}
