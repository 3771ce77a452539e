"""The extension of an order: bytes outside the signed struct, bound to it by the salt."""

import struct
from dataclasses import astuple, dataclass
from itertools import accumulate, pairwise

from bmn.core.errors import BadInput
from bmn.core.hashing import keccak
from bmn.core.order import Salt
from bmn.core.words import check_bits

_LOW_160 = (1 << 160) - 1

# Most significant first: the end of field 7 stands in the first four bytes, the end of field 0 in the last.
_ENDS = struct.Struct(">8I")


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """Eight fields and what follows them, in wire order; escrow orders need only `post_interaction`."""

    maker_asset_suffix: bytes = b""
    """Appended to the maker leg's transfer call."""
    taker_asset_suffix: bytes = b""
    """Appended to the taker leg's transfer call."""
    making_amount_data: bytes = b""
    """Contract (20 bytes) asked for the making amount, and its data; empty is linear."""
    taking_amount_data: bytes = b""
    """Contract (20 bytes) asked for the taking amount, and its data; empty is linear."""
    predicate: bytes = b""
    """Condition under which the order is valid."""
    maker_permit: bytes = b""
    """Token and permit run before the first fill."""
    pre_interaction: bytes = b""
    """Called before the maker's leg."""
    post_interaction: bytes = b""
    """Called after both legs; makes the source escrow."""
    custom_data: bytes = b""
    """Anything after the last field."""


def encode_extension(extension: Extension) -> bytes:
    """Return one word of field ends (field i in bits 32*i..32*i+31), then the fields; empty when all are.

    Source: ExtensionLib and OffsetsLib of the limit order protocol v4.
    """
    fields = astuple(extension)
    body = b"".join(fields)
    if not body:
        return b""
    ends = tuple(accumulate(len(field) for field in fields[:8]))
    return _ENDS.pack(*reversed(ends)) + body


def decode_extension(data: bytes) -> Extension:
    """Read an extension; empty bytes are an extension with no fields.

    Raises:
        BadInput: BAD_EXTENSION: shorter than its head, a field ends outside or before its beginning.
    """
    if not data:
        return Extension()
    if len(data) < _ENDS.size:
        raise BadInput("BAD_EXTENSION", f"{len(data)} bytes are too short for an extension")
    ends = _ENDS.unpack(data[:32])[::-1]
    body = data[32:]
    if ends[-1] > len(body) or any(a > b for a, b in pairwise(ends)):
        raise BadInput("BAD_EXTENSION", f"field ends {ends} do not fit {len(body)} bytes")
    fields = [body[start:end] for start, end in zip((0, *ends), ends, strict=False)]
    return Extension(
        maker_asset_suffix=fields[0],
        taker_asset_suffix=fields[1],
        making_amount_data=fields[2],
        taking_amount_data=fields[3],
        predicate=fields[4],
        maker_permit=fields[5],
        pre_interaction=fields[6],
        post_interaction=fields[7],
        custom_data=body[ends[-1] :],
    )


def salt_for(base: int, extension: bytes) -> Salt:
    """Return the salt that binds encoded `extension`: `base` (96 bits) over the low 160 bits of its hash.

    Raises:
        BadInput: `base` does not fit 96 bits.
    """
    check_bits("salt base", base, 96)
    return Salt(base << 160 | _extension_digest(extension))


def check_salt(salt: Salt, extension: bytes) -> None:
    """Refuse an extension that is not the one the salt binds.

    Raises:
        BadInput: WRONG_EXTENSION; the protocol would revert InvalidExtensionHash.
    """
    if salt & _LOW_160 != _extension_digest(extension):
        raise BadInput("WRONG_EXTENSION", "the salt of the order does not bind this extension")


def _extension_digest(extension: bytes) -> int:
    return int.from_bytes(keccak(extension), "big") & _LOW_160
