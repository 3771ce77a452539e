"""What goes wrong between us and a node, sorted into errors that say what to do next."""

import re
from typing import Final

from bmn.core.errors import ChainError, PermanentError

UNREACHABLE: Final = "RPC_UNREACHABLE"
BAD_ANSWER: Final = "RPC_BAD_ANSWER"
NODE_ERROR: Final = "RPC_ERROR"
RATE_LIMITED: Final = "RPC_RATE_LIMITED"
RANGE_TOO_WIDE: Final = "RANGE_TOO_WIDE"
NODE_BEHIND: Final = "NODE_BEHIND"
WRONG_CHAIN: Final = "WRONG_CHAIN"
QUORUM_MISSING: Final = "QUORUM_MISSING"
OWN_QUEUE: Final = "RPC_OWN_QUEUE"
BATCH_TOO_BIG: Final = "BATCH_TOO_BIG"
TAG_UNKNOWN: Final = "TAG_UNKNOWN"


class RateLimited(ChainError):
    """The endpoint wants fewer requests."""

    def __init__(self, detail: str, *, retry_after: float) -> None:
        """Say who limits us; `retry_after` is in seconds."""
        super().__init__(RATE_LIMITED, detail)
        self.retry_after = retry_after


class CallReverted(PermanentError):
    """The contract refused the call; `data` is its ABI-encoded error, possibly empty."""

    def __init__(self, data: bytes, *, detail: str) -> None:
        super().__init__("CALL_REVERTED", detail)
        self.data = data

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CallReverted) and other.data == self.data

    def __hash__(self) -> int:
        return hash(self.data)


def translate_error(code: int, message: str, data: object, *, where: str) -> ChainError | CallReverted:
    """Return the error that a node's JSON-RPC `error` object stands for.

    `data` has as many shapes as there are clients: text, an object with `data` inside, or nothing.
    """
    text = message.lower()
    detail = f"{where}: {code} {quote(message)}"
    if code == 3 or any(words in text for words in _HALT_WORDS):
        return CallReverted(_revert_data(data), detail=detail)
    if _RANGE.search(f"{text} {_explanation(data)}"):
        return ChainError(RANGE_TOO_WIDE, detail, hint="ask for fewer blocks at once")
    if code in _RATE_CODES or any(words in text for words in _RATE_WORDS):
        return RateLimited(detail, retry_after=1.0)
    return ChainError(NODE_ERROR, detail)


def is_about_batches(message: str) -> bool:
    """Whether a node's refusal of many calls in one body means that there were too many, or that it takes no batch."""
    return "batch" in message.lower()


def quote(text: str) -> str:
    """Return a node's words fit for a log: short, on one line, without long hex (it may be calldata or a secret)."""
    return _LONG_HEX.sub("…", " ".join(text.split()))[:200]


_LONG_HEX = re.compile(r"[0-9a-fA-F]{64,}")

# A halt is a refusal too, and asking again changes nothing: a hostile token may burn all gas on purpose.
_HALT_WORDS = (
    "revert",
    "vm execution error",
    "invalid opcode",
    "out of gas",
    "outofgas",
    "evm error",
    "invalid jump",
    "bad jump",
    "stack underflow",
)
# Texts of geth, Bor, Erigon, Nethermind, Besu, Reth and the large providers.
_RANGE = re.compile(
    "blocks? range|range is too|range too|range limit|limited to .* range|range .* exceeds|too many blocks"
    "|returned more than|too many results|too many logs|response size|max results|exceeds max|exceed maximum"
    "|ranges over|query timeout"
)
_RATE_CODES = {-32005, 429}
_RATE_WORDS = ("rate limit", "too many requests", "request limit", "capacity", "throughput", "exceeded the quota")


def _explanation(data: object) -> str:
    """Return what a provider adds to an "invalid params"."""
    return " ".join(str(value) for value in data.values()).lower() if isinstance(data, dict) else ""


def _revert_data(data: object) -> bytes:
    """Find the first 0x-hex text in `data`, however deep; none is empty."""
    if isinstance(data, str):
        found = re.search(r"0x([0-9a-fA-F]*)$", data)
        return bytes.fromhex(found[1]) if found and len(found[1]) % 2 == 0 else b""
    if isinstance(data, dict):
        for value in data.values():
            if inner := _revert_data(value):
                return inner
    return b""
