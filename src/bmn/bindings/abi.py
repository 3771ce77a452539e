"""The parts of the contract ABI that all bindings share: selectors, dynamic bytes, results, revert reasons.

Source: Contract ABI specification of Solidity.
"""

from collections.abc import Callable

from bmn.core.errors import BadInput
from bmn.core.hashing import keccak
from bmn.core.units import Address, Hash32
from bmn.core.words import WORD, decode_address, decode_uint, encode_uint

IMMUTABLES = "(bytes32,bytes32,uint256,uint256,uint256,uint256,uint256,uint256)"
"""Addresses inside are `Address is uint256` in the contracts, hence uint256 in every signature."""
COMPLEMENT = "(uint256,uint256,uint256,uint256,uint256)"
ORDER = "(uint256,uint256,uint256,uint256,uint256,uint256,uint256,uint256)"


def selector(signature: str) -> bytes:
    """Return the four bytes that name a function or a custom error."""
    return keccak(signature.encode())[:4]


def topic(signature: str) -> Hash32:
    """Return the first topic of an event."""
    return Hash32(keccak(signature.encode()))


def encode_dynamic(data: bytes) -> bytes:
    """Return length word and `data`, padded to whole words."""
    return encode_uint(len(data)) + data + bytes(-len(data) % WORD)


def decode_dynamic(data: bytes, head: int) -> bytes:
    """Return the `bytes` or `string` whose offset stands in word `head` of `data`.

    Raises:
        BadInput: BAD_RESULT: it lies outside `data`.
    """
    start = decode_uint(_word(data, head * WORD))
    length = decode_uint(_word(data, start))
    if start + WORD + length > len(data):
        raise BadInput("BAD_RESULT", f"{length} bytes at {start} do not fit an answer of {len(data)} bytes")
    return data[start + WORD : start + WORD + length]


def words_of(data: bytes, count: int) -> tuple[bytes, ...]:
    """Split an answer of exactly `count` words.

    Raises:
        BadInput: BAD_RESULT: another length; an empty answer means that there is no such contract.
    """
    if len(data) != count * WORD:
        raise BadInput(
            "BAD_RESULT",
            f"the contract answered {len(data)} bytes instead of {count * WORD}",
            hint="check the address and the chain: is this the contract you think it is?",
        )
    return tuple(data[at : at + WORD] for at in range(0, len(data), WORD))


def decode_address_result(data: bytes) -> Address:
    """Read an answer of one address."""
    return decode_address(words_of(data, 1)[0])


def decode_hash_result(data: bytes) -> Hash32:
    """Read an answer of one bytes32."""
    return Hash32(words_of(data, 1)[0])


def decode_uint_result(data: bytes) -> int:
    """Read an answer of one unsigned integer."""
    return decode_uint(words_of(data, 1)[0])


def decode_bool_result(data: bytes) -> bool:
    """Read an answer of one bool; a token that answers nothing to a transfer is not handled here.

    Raises:
        BadInput: BAD_RESULT: neither 0 nor 1.
    """
    value = decode_uint_result(data)
    if value > 1:
        raise BadInput("BAD_RESULT", f"{value} is no bool")
    return value == 1


def decode_revert(data: bytes) -> str:
    """Return why a call failed, fit for a log: `InvalidTime()`, `AlreadyLocked(0x…, 0x…)`, `Error("…")`, `Panic(0x11)`.

    Unknown errors show their selector only.
    """
    if not data:
        return "no reason given"
    name, readers = _ERRORS.get(data[:4], ("", ()))
    body = data[4:]
    if data[:4] == _ERROR:
        return f"Error({_text_of(body)})"
    if not name or len(body) != WORD * len(readers):
        return f"unknown error 0x{data[:4].hex()}"
    values = (read(body[at * WORD : (at + 1) * WORD]) for at, read in enumerate(readers))
    return f"{name}({', '.join(values)})"


def _word(data: bytes, at: int) -> bytes:
    if at + WORD > len(data):
        raise BadInput("BAD_RESULT", f"the answer of {len(data)} bytes ends before byte {at + WORD}")
    return data[at : at + WORD]


def _text_of(body: bytes) -> str:
    try:
        text = decode_dynamic(body, 0).decode(errors="replace")
    except BadInput:
        return "…"
    return repr(text[:120])


def _show_hash(word: bytes) -> str:
    return "0x" + word.hex()


def _show_address(word: bytes) -> str:
    return "0x" + word[12:].hex()


def _show_uint(word: bytes) -> str:
    return str(decode_uint(word))


def _show_code(word: bytes) -> str:
    return hex(decode_uint(word))


def _show_selector(word: bytes) -> str:
    return "0x" + word[:4].hex()


_READERS: dict[str, Callable[[bytes], str]] = {
    "bytes32": _show_hash,
    "address": _show_address,
    "uint256": _show_uint,
    "bytes4": _show_selector,
}

_KNOWN_ERRORS = (
    # Escrows and factory.
    "InvalidCaller()",
    "InvalidImmutables()",
    "InvalidSecret()",
    "InvalidTime()",
    "NativeTokenSendingFailure()",
    "SafeTransferFailed()",
    "SafeTransferFromFailed()",
    "InsufficientEscrowBalance()",
    "InvalidCreationTime()",
    "InvalidPartialFill()",
    "InvalidSecretsAmount()",
    "InvalidProof()",
    "AccessDenied()",
    "OnlyLimitOrderProtocol()",
    "OnlyFeeBank()",
    "ResolverCanNotFillOrder()",
    "NotEnoughCredit()",
    "FailedDeployment()",
    "InsufficientBalance(uint256,uint256)",
    # Resolver.
    "AllowanceLeft()",
    "AlreadyLocked(bytes32,address)",
    "ApproveFailed()",
    "BadAddress()",
    "BadImmutables()",
    "EscrowMissing()",
    "Expired()",
    "FactoryMismatch()",
    "FillMismatch()",
    "IsPaused()",
    "LengthMismatch()",
    "LimitExceeded()",
    "MarginTooSmall()",
    "NotOperator()",
    "NotOwner()",
    "OutOfGasBudget(uint256)",
    "SelectorNotAllowed(bytes4)",
    "ShortTransfer()",
    "TakerNotSelf()",
    "TooEarly()",
    # Limit order protocol.
    "MissingOrderExtension()",
    "UnexpectedOrderExtension()",
    "InvalidExtensionHash()",
    "OffsetOutOfBounds()",
    "BadSignature()",
    "OrderExpired()",
    "PrivateOrder()",
    "InvalidatedOrder()",
    "BitInvalidatedOrder()",
    "RemainingInvalidatedOrder()",
    "PartialFillNotAllowed()",
    "SwapWithZeroAmount()",
    "TakingAmountTooHigh()",
    "MakingAmountTooLow()",
    "TakingAmountExceeded()",
    "TransferFromMakerToTakerFailed()",
    "TransferFromTakerToMakerFailed()",
    "PredicateIsNotTrue()",
    "WrongSeriesNonce()",
    "EpochManagerAndBitInvalidatorsAreIncompatible()",
    "ReentrancyDetected()",
    "EnforcedPause()",
    "InvalidMsgValue()",
    "ETHTransferFailed()",
    # Tokens: ours, and OpenZeppelin's.
    "AllowanceOverflow()",
    "AllowanceUnderflow()",
    "InsufficientAllowance()",
    "InsufficientBalance()",
    "ERC20InsufficientBalance(address,uint256,uint256)",
    "ERC20InsufficientAllowance(address,uint256,uint256)",
)


def _error_row(signature: str) -> tuple[str, tuple[Callable[[bytes], str], ...]]:
    name, _, types = signature.rstrip(")").partition("(")
    return name, tuple(_READERS[kind] for kind in types.split(",") if kind)


_ERROR = selector("Error(string)")
_ERRORS = {selector(signature): _error_row(signature) for signature in _KNOWN_ERRORS} | {
    selector("Panic(uint256)"): ("Panic", (_show_code,)),
}
