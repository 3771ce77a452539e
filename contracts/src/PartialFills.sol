// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import { IPartialFills } from "./interfaces/IPartialFills.sol";
import { PartialFillLib } from "./libraries/PartialFillLib.sol";
import { Order } from "./types/Order.sol";

/// @title Keeps the secret hash that a partial fill has proven, until the same fill uses it.
abstract contract PartialFills is IPartialFills {
    struct ValidationData {
        uint256 index;
        bytes32 leaf;
    }

    uint256 private constant EXTRA_DATA_SIZE = 160;

    address private immutable LIMIT_ORDER_PROTOCOL;

    /// @inheritdoc IPartialFills
    mapping(bytes32 key => ValidationData) public lastValidated;

    constructor(address limitOrderProtocol) {
        LIMIT_ORDER_PROTOCOL = limitOrderProtocol;
    }

    /// @inheritdoc IPartialFills
    function takerInteraction(
        Order calldata,
        bytes calldata extension,
        bytes32 orderHash,
        address,
        uint256,
        uint256,
        uint256,
        bytes calldata extraData
    ) external {
        if (msg.sender != LIMIT_ORDER_PROTOCOL) revert AccessDenied();
        TakerData calldata proven;
        assembly ("memory-safe") {
            proven := extraData.offset
        }
        bytes32 info = _hashlockInfo(extension);
        bytes32 root = PartialFillLib.rootOf(proven.proof, proven.idx, proven.secretHash);
        if (PartialFillLib.shortRoot(root) != PartialFillLib.shortRoot(info)) revert InvalidProof();
        lastValidated[PartialFillLib.keyOf(orderHash, info)] = ValidationData(proven.idx + 1, proven.secretHash);
    }

    /// @dev First word of the escrow data, which ends the last field (post-interaction) of the extension.
    function _hashlockInfo(bytes calldata extension) private pure returns (bytes32) {
        // The end of field 7 is the first four bytes; ends count from byte 32.
        uint256 end = 32 + uint256(uint32(bytes4(extension[0:4])));
        return bytes32(extension[end - EXTRA_DATA_SIZE:end]);
    }
}
