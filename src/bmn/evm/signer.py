"""Signatures over 32-byte digests: who can make them, their forms, and whose they are."""

from dataclasses import dataclass
from typing import NoReturn, Protocol, Self, TypeAlias

import coincurve
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bmn.core.errors import BadInput
from bmn.core.hashing import keccak
from bmn.core.units import Address, Hash32, OrderHash

Digest: TypeAlias = Hash32 | OrderHash
"""What is signed: a hash that binds its own purpose (EIP-712, or an unsigned transaction)."""

CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""Order of secp256k1. Source: SEC 2, section 2.4.1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """An ECDSA signature in the only form we make or accept: `s` in the lower half, so that no second one exists."""

    r: int
    """x of the random point, 1 to order - 1."""
    s: int
    """The proof, 1 to order / 2."""
    y_parity: int
    """0 or 1: which of two keys signed."""

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            BadInput: BAD_SIGNATURE.
        """
        if not (0 < self.r < CURVE_ORDER and 0 < self.s <= CURVE_ORDER // 2 and self.y_parity in {0, 1}):
            raise BadInput("BAD_SIGNATURE", "r, s or the parity is out of range, or s is in the upper half")

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Parse 65 bytes `r s v` (v is 27, 28, 0 or 1) or 64 bytes `r vs` (EIP-2098).

        Raises:
            BadInput: BAD_SIGNATURE.
        """
        r, s = int.from_bytes(data[:32], "big"), int.from_bytes(data[32:64], "big")
        match len(data):
            case 65 if data[64] in {0, 1, 27, 28}:
                return cls(r=r, s=s, y_parity=data[64] % 27)
            case 64:
                return cls(r=r, s=s & _LOW_255_BITS, y_parity=s >> 255)
            case _:
                raise BadInput(
                    "BAD_SIGNATURE", f"a signature has 64 or 65 bytes, the last 0, 1, 27 or 28; got {len(data)}"
                )

    @property
    def vs(self) -> Hash32:
        """`s` with the parity in its top bit. Source: EIP-2098."""
        return Hash32.from_word(self.s | self.y_parity << 255)

    def to_compact(self) -> bytes:
        """Return 64 bytes `r vs`. Source: EIP-2098."""
        return self.r.to_bytes(32, "big") + self.vs

    def to_bytes(self) -> bytes:
        """Return 65 bytes `r s v` with v 27 or 28."""
        return self.r.to_bytes(32, "big") + self.s.to_bytes(32, "big") + bytes((27 + self.y_parity,))


class Signer(Protocol):
    """Holds one key and signs with it."""

    @property
    def address(self) -> Address:
        """The account of the key."""
        ...

    async def sign_digest(self, digest: Digest) -> Signature:
        """Sign `digest`; the same digest may give another valid signature next time.

        Raises:
            ChainError: the key is out of reach for now.
        """
        ...


class LocalSigner:
    """A key in the memory of this process. Never prints, pickles or copies itself."""

    __slots__ = ("_address", "_key")

    def __init__(self, private_key: bytes) -> None:
        """Hold `private_key`.

        Raises:
            BadInput: BAD_KEY; the value is not echoed.
        """
        if len(private_key) != 32 or not 0 < int.from_bytes(private_key, "big") < CURVE_ORDER:
            raise BadInput("BAD_KEY", "a private key is 32 bytes, between 1 and the order of the curve")
        self._key = coincurve.PrivateKey(private_key)
        self._address = _address_of(self._key.public_key)

    @property
    def address(self) -> Address:
        """The account of the key."""
        return self._address

    async def sign_digest(self, digest: Digest) -> Signature:
        """Sign `digest` (RFC 6979: the same digest always gives the same signature)."""
        raw = self._key.sign_recoverable(digest, hasher=None)
        return Signature(r=int.from_bytes(raw[:32], "big"), s=int.from_bytes(raw[32:64], "big"), y_parity=raw[64])

    def derive_key(self, purpose: bytes) -> bytes:
        """Return 32 secret bytes that only this key and `purpose` give; for sealing the owner's own secrets.

        Source: RFC 5869, HKDF-SHA256 without salt, `purpose` as info.
        """
        return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(self._key.secret)

    def __repr__(self) -> str:
        return f"LocalSigner({self._address})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a LocalSigner is not pickled or copied")


def recover(digest: Digest, signature: Signature) -> Address:
    """Return the account whose key made `signature` over `digest`.

    Raises:
        BadInput: BAD_SIGNATURE; no key fits.
    """
    raw = signature.to_bytes()[:64] + bytes((signature.y_parity,))
    try:
        return _address_of(coincurve.PublicKey.from_signature_and_message(raw, digest, hasher=None))
    except ValueError as error:
        raise BadInput("BAD_SIGNATURE", "no key fits this signature") from error


_LOW_255_BITS = 2**255 - 1


def _address_of(key: coincurve.PublicKey) -> Address:
    return Address(keccak(key.format(compressed=False)[1:])[12:])
