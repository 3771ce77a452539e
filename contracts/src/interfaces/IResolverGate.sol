// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title Who may fill an order, and the resolver fee that this deployment does not offer.
/// @notice There is no fee bank, so nobody ever has credit: a fill that owes a resolver fee reverts.
interface IResolverGate {
    /// @notice The taker is not on the order's list at this second and holds no access token.
    error ResolverCanNotFillOrder();

    /// @notice The fill owes a resolver fee and the taker has no credit.
    error NotEnoughCredit();

    /// @notice The caller is not the fee bank. There is none, so this is every caller.
    error OnlyFeeBank();

    /// @notice The fee bank: none.
    /// @return Zero.
    function FEE_BANK() external view returns (address);

    /// @notice Credit of an account at the fee bank: none.
    /// @param account Anybody.
    /// @return Zero.
    function availableCredit(address account) external view returns (uint256);

    /// @notice Always reverts `OnlyFeeBank`.
    /// @param account Anybody.
    /// @param amount Anything.
    /// @return Never.
    function increaseAvailableCredit(address account, uint256 amount) external returns (uint256);

    /// @notice Always reverts `OnlyFeeBank`.
    /// @param account Anybody.
    /// @param amount Anything.
    /// @return Never.
    function decreaseAvailableCredit(address account, uint256 amount) external returns (uint256);
}
