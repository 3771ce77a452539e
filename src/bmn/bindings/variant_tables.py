"""Functions, events and errors of every variant's contracts.

Addresses in the escrow contracts are `Address is uint256`, hence uint256 in signatures where one expects an address.

Source: the compiled contracts named in tests/vectors/README.md; 1inch v1.2: its published SDK.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from bmn.bindings.abi import COMPLEMENT, IMMUTABLES, ORDER
from bmn.bindings.variants import Variant

NINE_FIELD_IMMUTABLES: Final = f"{IMMUTABLES[:-1]},bytes)"
SIX_FIELD_COMPLEMENT: Final = f"{COMPLEMENT[:-1]},bytes)"

_AMOUNT_GETTER: Final = f"({ORDER},bytes,bytes32,address,uint256,uint256,bytes)"
_INTERACTION: Final = f"({ORDER},bytes,bytes32,address,uint256,uint256,uint256,bytes)"


def _escrow(immutables: str) -> tuple[str, ...]:
    """What both escrows of all variants have."""
    return (
        "error InvalidCaller()",
        "error InvalidImmutables()",
        "error InvalidSecret()",
        "error InvalidTime()",
        "error NativeTokenSendingFailure()",
        "error SafeTransferFailed()",
        "event EscrowCancelled()",
        "event EscrowWithdrawal(bytes32)",
        "event FundsRescued(address,uint256)",
        "function FACTORY()",
        "function PROXY_BYTECODE_HASH()",
        "function RESCUE_DELAY()",
        f"function cancel({immutables})",
        f"function publicWithdraw(bytes32,{immutables})",
        f"function rescueFunds(address,uint256,{immutables})",
        f"function withdraw(bytes32,{immutables})",
    )


def _src_escrow(immutables: str) -> tuple[str, ...]:
    return (
        *_escrow(immutables),
        f"function publicCancel({immutables})",
        f"function withdrawTo(bytes32,address,{immutables})",
    )


def _signed(immutables: str) -> tuple[str, ...]:
    """Public actions by signature, in escrows of BMN since v2.3."""
    return (
        "function _hashPublicAction(bytes32,address,string)",
        "function _recover(bytes32,bytes)",
        f"function publicCancelSigned({immutables},bytes)",
        f"function publicWithdrawSigned(bytes32,{immutables},bytes)",
    )


_FACTORY: Final = (
    "error AccessDenied()",
    "error FailedDeployment()",
    "error InsufficientBalance(uint256,uint256)",
    "error InsufficientEscrowBalance()",
    "error InvalidCreationTime()",
    "error InvalidPartialFill()",
    "error InvalidProof()",
    "error InvalidSecretsAmount()",
    "error NotEnoughCredit()",
    "error OnlyFeeBankAccess()",
    "error OnlyLimitOrderProtocol()",
    "error ResolverCanNotFillOrder()",
    "error SafeTransferFromFailed()",
    "function ESCROW_DST_IMPLEMENTATION()",
    "function ESCROW_SRC_IMPLEMENTATION()",
    "function FEE_BANK()",
    f"function addressOfEscrowDst({IMMUTABLES})",
    f"function addressOfEscrowSrc({IMMUTABLES})",
    "function availableCredit(address)",
    f"function createDstEscrow({IMMUTABLES},uint256)",
    "function decreaseAvailableCredit(address,uint256)",
    f"function getMakingAmount{_AMOUNT_GETTER}",
    f"function getTakingAmount{_AMOUNT_GETTER}",
    "function increaseAvailableCredit(address,uint256)",
    "function lastValidated(bytes32)",
    f"function postInteraction{_INTERACTION}",
    f"function preInteraction{_INTERACTION}",
    f"function takerInteraction{_INTERACTION}",
)
_FACTORY_V1: Final = (
    *_FACTORY,
    "event DstEscrowCreated(address,bytes32,uint256)",
    f"event SrcEscrowCreated({IMMUTABLES},{COMPLEMENT})",
)
_FACTORY_V1_1: Final = (
    *_FACTORY,
    "event DstEscrowCreated(address indexed,bytes32 indexed,uint256)",
    f"event SrcEscrowCreated(address indexed,{IMMUTABLES},{COMPLEMENT})",
)
_FACTORY_V1_2: Final = (
    "error InvalidFeeAmounts()",
    "error IndexOutOfRange()",
    "event DstEscrowCreated(address,bytes32,uint256)",
    f"event SrcEscrowCreated({NINE_FIELD_IMMUTABLES},{SIX_FIELD_COMPLEMENT})",
    "function ESCROW_DST_IMPLEMENTATION()",
    "function ESCROW_SRC_IMPLEMENTATION()",
    f"function addressOfEscrowDst({NINE_FIELD_IMMUTABLES})",
    f"function addressOfEscrowSrc({NINE_FIELD_IMMUTABLES})",
    f"function createDstEscrow({NINE_FIELD_IMMUTABLES},uint256)",
)


def _simplified(immutables: str) -> tuple[str, ...]:
    """What the factories of BMN since v2.3 have in common."""
    return (
        "error FailedDeployment()",
        "error InsufficientBalance(uint256,uint256)",
        "error SafeTransferFromFailed()",
        "event DstEscrowCreated(address indexed,bytes32 indexed,address indexed)",
        "event EmergencyPause(bool)",
        "event MakerRemoved(address indexed)",
        "event MakerWhitelisted(address indexed)",
        "event OwnershipTransferred(address indexed,address indexed)",
        "event PostInteractionEscrowCreated(address indexed,bytes32 indexed,address indexed,address,uint256)",
        "event ResolverRemoved(address indexed)",
        "event ResolverWhitelisted(address indexed)",
        "function ESCROW_DST_IMPLEMENTATION()",
        "function ESCROW_SRC_IMPLEMENTATION()",
        "function addMaker(address)",
        "function addResolver(address)",
        f"function addressOfEscrow({immutables},bool)",
        f"function createDstEscrow({immutables})",
        "function emergencyPaused()",
        "function escrows(bytes32)",
        "function isWhitelistedResolver(address)",
        "function makerWhitelistEnabled()",
        "function owner()",
        "function pause()",
        f"function postInteraction{_INTERACTION}",
        "function removeMaker(address)",
        "function removeResolver(address)",
        "function resolverCount()",
        "function setMakerWhitelistEnabled(bool)",
        "function transferOwnership(address)",
        "function unpause()",
        "function whitelistedMakers(address)",
        "function whitelistedResolvers(address)",
    )


_FACTORY_V2_3: Final = (
    *_simplified(IMMUTABLES),
    "event SrcEscrowCreated(address indexed,bytes32 indexed,address indexed,address,uint256)",
    f"function createSrcEscrow({IMMUTABLES},address,address,uint256)",
)
_FACTORY_V3: Final = (*_FACTORY_V2_3, "function setWhitelistBypassed(bool)", "function whitelistBypassed()")
_FACTORY_V4: Final = (
    *_simplified(NINE_FIELD_IMMUTABLES),
    "error AllowedTimeViolation()",
    "error ETHTransferFailed()",
    "error InconsistentFee()",
    "error InsufficientBalance()",
    "error OnlyLimitOrderProtocol()",
    "error OwnableInvalidOwner(address)",
    "error OwnableUnauthorizedAccount(address)",
    f"event SrcEscrowCreated({NINE_FIELD_IMMUTABLES},{SIX_FIELD_COMPLEMENT})",
    "function ESCROW_DST_PROXY_BYTECODE_HASH()",
    "function ESCROW_SRC_PROXY_BYTECODE_HASH()",
    f"function createSrcEscrow({NINE_FIELD_IMMUTABLES},{SIX_FIELD_COMPLEMENT})",
    "function escrowImmutables(bytes32)",
    f"function getMakingAmount{_AMOUNT_GETTER}",
    f"function getTakingAmount{_AMOUNT_GETTER}",
    "function renounceOwnership()",
    "function rescueFunds(address,uint256)",
    "function setWhitelistBypassed(bool)",
    "function whitelistBypassed()",
)

_ORDER_PROTOCOL: Final = (
    "error AdvanceEpochFailed()",
    "error ArbitraryStaticCallFailed()",
    "error BadSignature()",
    "error BitInvalidatedOrder()",
    "error ETHTransferFailed()",
    "error EnforcedPause()",
    "error EpochManagerAndBitInvalidatorsAreIncompatible()",
    "error EthDepositRejected()",
    "error ExpectedPause()",
    "error InvalidMsgValue()",
    "error InvalidPermit2Transfer()",
    "error InvalidShortString()",
    "error InvalidatedOrder()",
    "error MakingAmountTooLow()",
    "error MismatchArraysLengths()",
    "error OrderExpired()",
    "error OrderIsNotSuitableForMassInvalidation()",
    "error OwnableInvalidOwner(address)",
    "error OwnableUnauthorizedAccount(address)",
    "error PartialFillNotAllowed()",
    "error Permit2TransferAmountTooHigh()",
    "error PredicateIsNotTrue()",
    "error PrivateOrder()",
    "error ReentrancyDetected()",
    "error RemainingInvalidatedOrder()",
    "error SafeTransferFailed()",
    "error SafeTransferFromFailed()",
    "error SimulationResults(bool,bytes)",
    "error StringTooLong(string)",
    "error SwapWithZeroAmount()",
    "error TakingAmountExceeded()",
    "error TakingAmountTooHigh()",
    "error TransferFromMakerToTakerFailed()",
    "error TransferFromTakerToMakerFailed()",
    "error WrongSeriesNonce()",
    "event BitInvalidatorUpdated(address indexed,uint256,uint256)",
    "event EIP712DomainChanged()",
    "event EpochIncreased(address indexed,uint256,uint256)",
    "event OrderCancelled(bytes32)",
    "event OrderFilled(bytes32,uint256)",
    "event OwnershipTransferred(address indexed,address indexed)",
    "event Paused(address)",
    "event Unpaused(address)",
    "function DOMAIN_SEPARATOR()",
    "function advanceEpoch(uint96,uint256)",
    "function and(uint256,bytes)",
    "function arbitraryStaticCall(address,bytes)",
    "function bitInvalidatorForOrder(address,uint256)",
    "function bitsInvalidateForOrder(uint256,uint256)",
    "function cancelOrder(uint256,bytes32)",
    "function cancelOrders(uint256[],bytes32[])",
    "function checkPredicate(bytes)",
    "function eip712Domain()",
    "function epoch(address,uint96)",
    "function epochEquals(address,uint256,uint256)",
    "function eq(uint256,bytes)",
    f"function fillContractOrder({ORDER},bytes,uint256,uint256)",
    f"function fillContractOrderArgs({ORDER},bytes,uint256,uint256,bytes)",
    f"function fillOrder({ORDER},bytes32,bytes32,uint256,uint256)",
    f"function fillOrderArgs({ORDER},bytes32,bytes32,uint256,uint256,bytes)",
    "function gt(uint256,bytes)",
    f"function hashOrder({ORDER})",
    "function increaseEpoch(uint96)",
    "function lt(uint256,bytes)",
    "function not(bytes)",
    "function or(uint256,bytes)",
    "function owner()",
    "function pause()",
    "function paused()",
    "function permitAndCall(bytes,bytes)",
    "function rawRemainingInvalidatorForOrder(address,bytes32)",
    "function remainingInvalidatorForOrder(address,bytes32)",
    "function renounceOwnership()",
    "function simulate(address,bytes)",
    "function transferOwnership(address)",
    "function unpause()",
)
_ORDER_LIBRARIES: Final[Mapping[str, tuple[str, ...]]] = {
    "OrderLib": (
        "error InvalidExtensionHash()",
        "error MissingOrderExtension()",
        "error UnexpectedOrderExtension()",
    ),
    "OffsetsLib": ("error OffsetOutOfBounds()",),
}


def _pair(immutables: str, *more: str) -> dict[str, tuple[str, ...]]:
    return {"EscrowSrc": (*_src_escrow(immutables), *more), "EscrowDst": (*_escrow(immutables), *more)}


_SIGNED_8: Final = _pair(IMMUTABLES, *_signed(IMMUTABLES))
INTERFACES: Final[Mapping[Variant, Mapping[str, tuple[str, ...]]]] = MappingProxyType(
    {
        Variant.ONE_INCH_V1: {
            "EscrowFactory": _FACTORY_V1,
            **_pair(IMMUTABLES),
            "LimitOrderProtocol": _ORDER_PROTOCOL,
            **_ORDER_LIBRARIES,
        },
        Variant.ONE_INCH_V1_2: {"EscrowFactory": _FACTORY_V1_2, **_pair(NINE_FIELD_IMMUTABLES)},
        Variant.BMN_V1_0: {"CrossChainEscrowFactory": _FACTORY_V1, **_pair(IMMUTABLES)},
        Variant.BMN_V1_1: {"CrossChainEscrowFactory": _FACTORY_V1_1, **_pair(IMMUTABLES)},
        Variant.BMN_V2_3: {"SimplifiedEscrowFactoryV2_3": _FACTORY_V2_3, **_SIGNED_8},
        Variant.BMN_V3_0: {"SimplifiedEscrowFactoryV3_0_2": _FACTORY_V3, **_SIGNED_8},
        Variant.BMN_V4_0: {
            "SimplifiedEscrowFactory": _FACTORY_V4,
            **_pair(NINE_FIELD_IMMUTABLES, *_signed(NINE_FIELD_IMMUTABLES)),
        },
        Variant.BMN_ORDER_PROTOCOL_V1: {"SimpleLimitOrderProtocol": _ORDER_PROTOCOL, **_ORDER_LIBRARIES},
    }
)
"""Per variant and contract: lines of `kind name(types)`."""
