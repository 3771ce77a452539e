// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import { Order } from "../src/types/Order.sol";
import { Fixture } from "./support/Fixture.sol";

/// @title Amounts of auction orders: golden values, and the laws between them.
contract AuctionTest is Fixture {
    function test_amounts_followTheGoldenValues() public {
        vm.fee(0);
        vm.warp(1_795_458_760);
        Order memory order = _order(4_180_646_998_574_997_901_105, 713_868_508_940_484_016_297);
        bytes memory auction = hex"000000000000006b0485cf000139012c64011294000a06246d0096";
        assertEq(_taking(order, 1_539_481_791_207_414_762_319, auction), 267_301_365_942_898_056_945);
        assertEq(_making(order, 356_934_254_470_242_008_149, auction), 2_055_708_856_843_314_173_507);
    }

    function test_amounts_followTheGoldenValuesLaterInTheAuction() public {
        vm.fee(0);
        vm.warp(1_795_460_271);
        Order memory order = _order(2_093_504_319_389_613_887_394, 4_425_415_091_593_038_425_119);
        bytes memory auction = hex"000000000000006b048b8600016302c3ce002d8a0074040d740069";
        assertEq(_taking(order, 1_711_604_378_304_106_144_859, auction), 3_659_717_291_144_610_492_132);
        assertEq(_making(order, 2_212_707_545_796_519_212_560, auction), 1_034_855_870_549_320_178_651);
    }

    function test_gasBump_lowersThePrice() public {
        vm.fee(46_392_133_182);
        vm.warp(1_795_465_726);
        Order memory order = _order(3_337_467_328_194_035_257_946, 523_360_297_613_701_931_362);
        bytes memory auction = hex"0089d8000000476b04a17c000113056206";
        assertEq(_taking(order, 2_610_207_080_347_328_790_021, auction), 409_315_993_257_432_197_051);
        assertEq(_making(order, 261_680_148_806_850_965_682, auction), 1_668_733_664_097_017_628_979);
    }

    function test_price_isInitialUntilStartAndBaseFromEnd(uint24 bump, uint24 duration) public {
        duration = uint24(bound(duration, 1, type(uint24).max));
        uint32 start = uint32(vm.getBlockTimestamp() + 1000);
        bytes memory auction = abi.encodePacked(uint24(0), uint32(0), start, duration, bump);
        Order memory order = _order(1e18, 1e18);
        uint256 first = (1e18 * (1e7 + uint256(bump)) + 1e7 - 1) / 1e7;
        assertEq(_taking(order, 1e18, auction), first);
        vm.warp(start);
        assertEq(_taking(order, 1e18, auction), first);
        vm.warp(uint256(start) + duration);
        assertEq(_taking(order, 1e18, auction), 1e18);
    }

    function test_price_neverRisesBetweenFallingPoints(uint16 at, uint16 step) public {
        uint32 start = uint32(vm.getBlockTimestamp());
        bytes memory auction = abi.encodePacked(
            uint24(0),
            uint32(0),
            start,
            uint24(1200),
            uint24(500_000),
            uint24(300_000),
            uint16(400),
            uint24(100_000),
            uint16(300)
        );
        Order memory order = _order(MAKING, TAKING);
        vm.warp(uint256(start) + at % 1300);
        uint256 before = _taking(order, MAKING, auction);
        skip(step);
        assertLe(_taking(order, MAKING, auction), before);
    }

    /// @dev Roundings favour the maker: paying what `getTakingAmount` asks never yields more than was asked for.
    function test_roundings_favourTheMaker(uint128 making, uint24 bump) public view {
        making = uint128(bound(making, 1, MAKING));
        bytes memory auction = abi.encodePacked(uint24(0), uint32(0), uint32(vm.getBlockTimestamp()), uint24(100), bump);
        Order memory order = _order(MAKING, TAKING);
        uint256 taking = _taking(order, making, auction);
        assertGe(taking * MAKING * 1e7, uint256(making) * TAKING * (1e7 + uint256(bump)));
        assertLe(_making(order, taking - 1, auction), making);
    }

    function _order(uint256 making, uint256 taking) private pure returns (Order memory order) {
        (order.makingAmount, order.takingAmount) = (making, taking);
    }

    function _taking(Order memory order, uint256 making, bytes memory auction) private view returns (uint256) {
        return factory.getTakingAmount(order, "", 0, TAKER, making, order.makingAmount, auction);
    }

    function _making(Order memory order, uint256 taking, bytes memory auction) private view returns (uint256) {
        return factory.getMakingAmount(order, "", 0, TAKER, taking, order.makingAmount, auction);
    }
}
