"""keccak256, the only hash of the protocol."""

import sha3


def keccak(data: bytes) -> bytes:
    """Return keccak256 of `data`, 32 bytes."""
    digest: bytes = sha3.keccak_256(data).digest()
    return digest
