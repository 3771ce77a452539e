// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title Deploys contracts at addresses that depend on the caller and a salt, not on the code.
interface ICreate3Factory {
    /// @notice Create a contract and give it the value sent.
    /// @param salt Chosen by the caller; another caller's equal salt leads elsewhere.
    /// @param initCode Creation code with its arguments.
    /// @return deployed The new contract.
    function deploy(bytes32 salt, bytes calldata initCode) external payable returns (address deployed);

    /// @notice Where `deploy` of `deployer` with `salt` puts its contract.
    /// @param deployer Caller of `deploy`.
    /// @param salt Argument of `deploy`.
    /// @return deployed The address, whether there is a contract or not.
    function getDeployed(address deployer, bytes32 salt) external view returns (address deployed);
}
