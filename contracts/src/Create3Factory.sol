// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import { ICreate3Factory } from "./interfaces/ICreate3Factory.sol";
import { CREATE3 } from "solady/utils/CREATE3.sol";

/// @title Equal addresses on every chain for one deployer.
contract Create3Factory is ICreate3Factory {
    /// @inheritdoc ICreate3Factory
    function deploy(bytes32 salt, bytes calldata initCode) external payable returns (address deployed) {
        return CREATE3.deployDeterministic(msg.value, initCode, _bind(msg.sender, salt));
    }

    /// @inheritdoc ICreate3Factory
    function getDeployed(address deployer, bytes32 salt) external view returns (address deployed) {
        return CREATE3.predictDeterministicAddress(_bind(deployer, salt));
    }

    // Bound to the caller, so nobody else can take the address.
    function _bind(address deployer, bytes32 salt) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(deployer, salt));
    }
}
