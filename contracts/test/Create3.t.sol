// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import { ICreate3Factory } from "../src/interfaces/ICreate3Factory.sol";
import { IEscrow } from "../src/interfaces/IEscrow.sol";
import { IEscrowFactory } from "../src/interfaces/IEscrowFactory.sol";
import { IResolver } from "../src/interfaces/IResolver.sol";
import { Fixture } from "./support/Fixture.sol";

/// @title Deployment at equal addresses, and what constructors see through it.
contract Create3Test is Fixture {
    bytes32 private constant PROXY_HASH = 0x21c35dbe1b344a2488cf3321d6ce542f8e9f305544ff09e4993a62319a497c1f;

    ICreate3Factory private create3;

    function setUp() public override {
        super.setUp();
        create3 = ICreate3Factory(vm.deployCode("Create3Factory.sol:Create3Factory"));
    }

    function test_getDeployed_bindsTheSaltToTheDeployer(address deployer, bytes32 salt) public view {
        bytes32 bound_ = keccak256(abi.encodePacked(deployer, salt));
        address proxy = vm.computeCreate2Address(bound_, PROXY_HASH, address(create3));
        address expected = address(uint160(uint256(keccak256(abi.encodePacked(hex"d694", proxy, hex"01")))));
        assertEq(create3.getDeployed(deployer, salt), expected);
    }

    function test_deploy_putsCodeAtThePredictedAddressOnce(address deployer, bytes32 salt) public {
        bytes memory initCode = vm.getCode("NoopToken.sol:NoopToken");
        address expected = create3.getDeployed(deployer, salt);
        vm.prank(deployer);
        assertEq(create3.deploy(salt, initCode), expected);
        assertGt(expected.code.length, 0);
        vm.prank(deployer);
        vm.expectRevert();
        create3.deploy(salt, initCode);
    }

    function test_factoryBehindCreate3_createsItsOwnImplementations() public {
        IEscrowFactory made = _factory();
        assertEq(IEscrow(made.ESCROW_SRC_IMPLEMENTATION()).FACTORY(), address(made));
        assertEq(IEscrow(made.ESCROW_DST_IMPLEMENTATION()).FACTORY(), address(made));
    }

    function test_resolverBehindCreate3_hasTheOwnerOfItsArguments() public {
        address owner = makeAddr("owner");
        bytes memory args = abi.encode(LOP, _factory(), owner, TAKER);
        IResolver made = IResolver(
            payable(create3.deploy("resolver", abi.encodePacked(vm.getCode("Resolver.sol:Resolver"), args)))
        );
        assertEq(made.owner(), owner);
        assertEq(made.treasury(), TAKER);
        assertEq(made.LOP(), LOP);
    }

    function _factory() private returns (IEscrowFactory) {
        bytes memory args = abi.encode(LOP, address(0), address(accessToken), address(0), RESCUE_DELAY, RESCUE_DELAY);
        bytes memory initCode = abi.encodePacked(vm.getCode("EscrowFactory.sol:EscrowFactory"), args);
        return IEscrowFactory(create3.deploy("factory", initCode));
    }
}
