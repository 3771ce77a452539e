// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import { IEscrow } from "../src/interfaces/IEscrow.sol";
import { Immutables } from "../src/types/Immutables.sol";
import { Ours } from "./support/Ours.sol";

/// @title A stolen operator key in league with the maker, who knows every secret and holds the access token:
/// what they gain never exceeds the owner's limits, and the rest stays ours.
contract ResolverInvariantTest is Ours {
    uint256 private constant TOKEN_PER_HOUR = TAKING;
    uint256 private constant COIN_PER_HOUR = 10 * DEPOSIT;

    address[] private escrows;
    Immutables[] private immutables;
    uint256 private tokensLocked;
    uint256 private coinsSpent;
    mapping(bytes32 hashlock => bytes32) private secretOf;

    function setUp() public override {
        super.setUp();
        accessToken.mint(MAKER, 1);
        vm.startPrank(OWNER);
        resolver.setLimit(address(token), uint128(TAKING), uint128(TOKEN_PER_HOUR));
        resolver.setLimit(address(0), uint128(4 * DEPOSIT), uint128(COIN_PER_HOUR));
        vm.stopPrank();
        bytes4[] memory selectors = new bytes4[](6);
        selectors[0] = this.lockForMaker.selector;
        selectors[1] = this.fillForMaker.selector;
        selectors[2] = this.collect.selector;
        selectors[3] = this.settle.selector;
        selectors[4] = this.operatorCalls.selector;
        selectors[5] = this.passTime.selector;
        targetSelector(FuzzSelector({ addr: address(this), selectors: selectors }));
        targetContract(address(this));
    }

    function lockForMaker(uint96 amount, uint64 deposit, bool native, uint16 secret) external {
        Immutables memory i = ourDst();
        i.amount = bound(amount, 0, 11 * TAKING / 10);
        i.safetyDeposit = bound(deposit, 0, 6 * DEPOSIT);
        i.hashlock = keccak256(abi.encode(uint256(secret)));
        secretOf[i.hashlock] = bytes32(uint256(secret));
        if (native) (i.token, i.amount) = (word(address(0)), i.amount % (6 * DEPOSIT));
        Immutables memory made = born(i);
        if (!_asOperator(abi.encodeCall(resolver.deployDst, (i, deadline(), MARGIN, deadline())))) return;
        _remember(factory.addressOfEscrowDst(made), made);
        if (!native) tokensLocked += i.amount;
        coinsSpent += dstValue(i);
    }

    function fillForMaker(uint16 nonce) external {
        secretOf[HASHLOCK] = SECRET;
        Fill memory fill = ourFill(nonce);
        address escrow = srcEscrow(fill);
        if (!_asOperator(ourFillCall(fill))) return;
        _remember(escrow, fill.immutables);
        coinsSpent += DEPOSIT;
    }

    /// @dev The maker finishes an escrow in person, for the deposit too.
    function collect(uint256 which, bool cancel) external {
        if (escrows.length == 0) return;
        which %= escrows.length;
        bytes32 known = secretOf[immutables[which].hashlock];
        bytes memory data = abi.encodeCall(IEscrow.publicWithdraw, (known, immutables[which]));
        if (cancel) {
            data = abi.encodeWithSignature(
                "publicCancel((bytes32,bytes32,uint256,uint256,uint256,uint256,uint256,uint256))", immutables[which]
            );
        }
        vm.prank(MAKER);
        (bool ok,) = escrows[which].call(data);
        ok; // refusals are part of the game
    }

    function settle(uint256 which, uint8 call) external {
        if (escrows.length == 0) return;
        Immutables memory i = immutables[which % escrows.length];
        bytes32 known = secretOf[i.hashlock];
        if (call % 4 == 0) _asOperator(abi.encodeCall(resolver.withdrawDst, (known, i)));
        if (call % 4 == 1) _asOperator(abi.encodeCall(resolver.withdrawSrc, (known, i)));
        if (call % 4 == 2) _asOperator(abi.encodeCall(resolver.cancelDst, (i)));
        if (call % 4 == 3) _asOperator(abi.encodeCall(resolver.cancelSrc, (i)));
    }

    function operatorCalls(uint8 call, uint64 amount) external {
        if (call % 6 == 0) _asOperator(abi.encodeCall(resolver.sweep, (address(token), amount)));
        if (call % 6 == 1) _asOperator(abi.encodeCall(resolver.sweep, (address(0), amount % DEPOSIT)));
        if (call % 6 == 2) _asOperator(abi.encodeCall(resolver.setTreasury, (MAKER)));
        if (call % 6 == 3) _asOperator(abi.encodeCall(resolver.setLimit, (address(token), uint128(amount), 0)));
        if (call % 6 == 4) _asOperator(abi.encodeCall(resolver.transferOwnership, (OPERATOR)));
        if (call % 6 == 5) _asOperator(abi.encodeWithSignature("approve(address,uint256)", MAKER, amount));
    }

    function passTime(uint16 wait) external {
        skip(wait % 400);
    }

    function invariant_theMakerGainsNoMoreThanTheLimits() public view {
        uint256 elapsed = vm.getBlockTimestamp() - START;
        uint256 tokens = TOKEN_PER_HOUR + TOKEN_PER_HOUR * elapsed / 1 hours;
        uint256 coins = COIN_PER_HOUR + COIN_PER_HOUR * elapsed / 1 hours;
        assertLe(tokensLocked, tokens);
        assertLe(coinsSpent, coins);
        assertLe(token.balanceOf(MAKER), 100 * MAKING + tokens);
        assertLe(MAKER.balance, coins);
    }

    function invariant_nobodyElseGainsAnything() public view {
        assertEq(token.balanceOf(OPERATOR), 0);
        assertEq(OPERATOR.balance, 0);
        assertEq(resolver.owner(), OWNER);
        assertEq(resolver.treasury(), TREASURY);
    }

    function invariant_tokensAreAllAccountedFor() public view {
        uint256 held = token.balanceOf(MAKER) + token.balanceOf(TREASURY) + token.balanceOf(address(resolver));
        uint256 coins = MAKER.balance + TREASURY.balance + address(resolver).balance;
        for (uint256 n = 0; n < escrows.length; ++n) {
            held += token.balanceOf(escrows[n]);
            coins += escrows[n].balance;
        }
        assertEq(held, 100 * MAKING + 10 * TAKING);
        assertEq(coins, FLOAT);
        assertEq(token.allowance(address(resolver), address(factory)), 0);
    }

    function invariant_aHashlockHasOneLock() public view {
        for (uint256 n = 0; n < escrows.length; ++n) {
            (address locked,) = resolver.lockOf(immutables[n].hashlock);
            bool isDst = factory.addressOfEscrowDst(immutables[n]) == escrows[n];
            if (isDst) assertEq(locked, escrows[n]);
        }
    }

    function _asOperator(bytes memory data) private returns (bool ok) {
        vm.prank(OPERATOR);
        (ok,) = address(resolver).call(data);
    }

    function _remember(address escrow, Immutables memory i) private {
        escrows.push(escrow);
        immutables.push(i);
    }
}
