// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import { IEscrow } from "./IEscrow.sol";

/// @title Holds the taker's tokens on the chain the maker is paid on.
interface IEscrowDst is IEscrow { }
