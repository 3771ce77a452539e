"""Units as types: amounts, times, ids, and fixed-size byte strings."""

from typing import ClassVar, NewType, Self

from bmn.core.errors import BadInput
from bmn.core.hashing import keccak

Wei = NewType("Wei", int)
"""Native coin, smallest unit."""
TokenAmount = NewType("TokenAmount", int)
"""An ERC-20 amount in its smallest unit."""
UnixTime = NewType("UnixTime", int)
"""Seconds since 1970 of the chain that is spoken of."""
Seconds = NewType("Seconds", int)
"""A length of time."""
Bps = NewType("Bps", int)
"""1/10000."""
ChainId = NewType("ChainId", int)
"""EIP-155 chain id."""
BlockNumber = NewType("BlockNumber", int)
"""Height of a block."""
Gas = NewType("Gas", int)
"""Units of gas."""
Nonce = NewType("Nonce", int)
"""Sequence number of a transaction of one account."""

UINT256_MAX = 2**256 - 1


class FixedBytes(bytes):
    """Bytes of one exact size; prints as 0x-hex."""

    __slots__ = ()
    SIZE: ClassVar[int] = 32

    def __new__(cls, value: bytes) -> Self:
        """Wrap `value`.

        Raises:
            BadInput: `value` is not `SIZE` bytes long.
        """
        if len(value) != cls.SIZE:
            raise BadInput("BAD_LENGTH", f"{cls.__name__} needs {cls.SIZE} bytes, got {len(value)}")
        return super().__new__(cls, value)

    @classmethod
    def from_hex(cls, text: str) -> Self:
        """Parse 0x-hex.

        Raises:
            BadInput: not 0x-hex of the right length.
        """
        try:
            if not text.startswith("0x"):
                raise ValueError
            return cls(bytes.fromhex(text[2:]))
        except ValueError as error:
            raise BadInput("BAD_HEX", f"not 0x-hex: {text[:80]!r}") from error

    @classmethod
    def from_word(cls, word: int) -> Self:
        """Return the low `SIZE` bytes of an unsigned integer that fits them."""
        return cls(word.to_bytes(cls.SIZE, "big"))

    @property
    def word(self) -> int:
        """The value as an unsigned big-endian integer."""
        return int.from_bytes(self, "big")

    def __str__(self) -> str:
        return "0x" + self.hex()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self})"


class Hash32(FixedBytes):
    """Any keccak256 result that has no better name."""

    __slots__ = ()


class Hashlock(FixedBytes):
    """keccak256 of a secret; the identity of a swap."""

    __slots__ = ()


class OrderHash(FixedBytes):
    """EIP-712 digest of an order."""

    __slots__ = ()


class BlockHash(FixedBytes):
    """Hash of a block header."""

    __slots__ = ()


class TxHash(FixedBytes):
    """Hash of a signed transaction."""

    __slots__ = ()


class Address(FixedBytes):
    """An account or contract; prints with its EIP-55 checksum. Zero means the native coin where a token is expected."""

    __slots__ = ()
    SIZE = 20

    @classmethod
    def from_hex(cls, text: str) -> Self:
        """Parse 0x-hex; mixed case must carry the right EIP-55 checksum.

        Raises:
            BadInput: not an address, or a checksum that is wrong.
        """
        address = super().from_hex(text)
        digits = text[2:]
        if digits not in {digits.lower(), digits.upper()} and str(address) != text:
            raise BadInput(
                "BAD_CHECKSUM",
                f"address {text} has a wrong EIP-55 checksum; did you mean {address!s}?",
                hint="copy the address again from its source; a typo here sends money to nobody",
            )
        return address

    def __str__(self) -> str:
        digits = self.hex()
        digest = keccak(digits.encode()).hex()
        return "0x" + "".join(
            char.upper() if nibble >= "8" else char for char, nibble in zip(digits, digest, strict=False)
        )

    __repr__ = FixedBytes.__repr__


ZERO_ADDRESS = Address(bytes(20))
NATIVE = ZERO_ADDRESS
"""The native coin, where a token address is expected (destination side only)."""


class Secret:
    """32 bytes whose keccak256 is a hashlock. Never prints itself."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        """Hold `value`.

        Raises:
            BadInput: not 32 bytes. The value is not echoed.
        """
        if len(value) != 32:
            raise BadInput("BAD_SECRET", f"a secret has exactly 32 bytes, got {len(value)}")
        self._value = bytes(value)

    def reveal(self) -> bytes:
        """Return the 32 bytes. Every caller must have a reason to."""
        return self._value

    @property
    def hashlock(self) -> Hashlock:
        """keccak256 of the secret."""
        return Hashlock(keccak(self._value))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self.hashlock)

    def __repr__(self) -> str:
        return "Secret(…)"

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a Secret is not pickled")


def bps_of(amount: int, share: Bps) -> int:
    """Return `share` of `amount`, rounded down, in favour of the payer."""
    return amount * share // 10_000
