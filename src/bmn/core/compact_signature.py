"""Signatures as the limit order protocol takes them: `r` and `vs` (EIP-2098)."""

from dataclasses import dataclass

from bmn.core.errors import BadInput
from bmn.core.units import Hash32

CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""Order of the group of secp256k1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactSignature:
    """64 bytes: `r`, and `s` with the parity of the signing point in its top bit."""

    r: Hash32
    """x coordinate of the point."""
    vs: Hash32
    """`y_parity << 255 | s`."""

    @property
    def s(self) -> int:
        """The scalar, always in the lower half of the group."""
        return self.vs.word & ((1 << 255) - 1)

    @property
    def y_parity(self) -> int:
        """0 or 1."""
        return self.vs.word >> 255


def compact_signature(*, r: int, s: int, y_parity: int) -> CompactSignature:
    """Return the compact form.

    Raises:
        BadInput: BAD_SIGNATURE: r or s outside the group, or s in its upper half.
    """
    if not (0 < r < CURVE_ORDER and 0 < s <= CURVE_ORDER // 2 and y_parity in {0, 1}):
        raise BadInput("BAD_SIGNATURE", "r, s or the parity is out of range, or s is not the low one")
    return CompactSignature(r=Hash32.from_word(r), vs=Hash32.from_word(y_parity << 255 | s))


def parse_signature(data: bytes) -> CompactSignature:
    """Read 65 bytes `r || s || v` (v 27 or 28, or 0 or 1) or 64 bytes `r || vs`.

    Raises:
        BadInput: BAD_SIGNATURE: another length, or values a signer never makes.
    """
    if len(data) == 64:
        vs = int.from_bytes(data[32:], "big")
        s, y_parity = vs & ((1 << 255) - 1), vs >> 255
    elif len(data) == 65 and data[64] in {0, 1, 27, 28}:
        s, y_parity = int.from_bytes(data[32:64], "big"), data[64] % 27
    else:
        raise BadInput("BAD_SIGNATURE", f"a signature has 64 bytes, or 65 with v of 27 or 28; got {len(data)}")
    return compact_signature(r=int.from_bytes(data[:32], "big"), s=s, y_parity=y_parity)


def encode_signature(signature: CompactSignature) -> bytes:
    """Return the 65 bytes `r || s || v` with v 27 or 28."""
    return signature.r + signature.s.to_bytes(32, "big") + bytes((27 + signature.y_parity,))
