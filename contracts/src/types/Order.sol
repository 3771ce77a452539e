// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import { Address } from "./Address.sol";

/// @notice A limit order as the maker signs it (limit order protocol v4).
struct Order {
    uint256 salt; // low 160 bits = low 160 bits of the extension's hash
    Address maker;
    Address receiver; // zero = maker
    Address makerAsset;
    Address takerAsset;
    uint256 makingAmount;
    uint256 takingAmount;
    uint256 makerTraits; // bit 254: multiple fills allowed
}
