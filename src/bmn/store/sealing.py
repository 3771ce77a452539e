"""Encryption at rest of what must not be read before it is on a chain: secrets, and calldata that carries them."""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bmn.core.errors import BadInput, PermanentError
from bmn.seams import Rng

KEY_SIZE = 32
_NONCE_SIZE = 12
_VERSION = b"\x01"


class Sealer:
    """AES-256-GCM under one key; `context` says what a sealed value is for and must be the same to open it."""

    __slots__ = ("_cipher", "_rng")

    def __init__(self, key: bytes, rng: Rng) -> None:
        """Hold `key`.

        Raises:
            BadInput: `BAD_SEALING_KEY`, not 32 bytes.
        """
        if len(key) != KEY_SIZE:
            raise BadInput("BAD_SEALING_KEY", f"the key that seals secrets needs {KEY_SIZE} bytes, got {len(key)}")
        self._cipher = AESGCM(key)
        self._rng = rng

    def seal(self, plain: bytes, context: bytes) -> bytes:
        """Return version (1) || nonce (12) || ciphertext and tag."""
        nonce = self._rng.token_bytes(_NONCE_SIZE)
        return _VERSION + nonce + self._cipher.encrypt(nonce, plain, context)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Return what was sealed.

        Raises:
            PermanentError: `UNSEAL_FAILED`: another key, another context, or the bytes were changed.
        """
        nonce, body = sealed[1 : 1 + _NONCE_SIZE], sealed[1 + _NONCE_SIZE :]
        try:
            if sealed[:1] != _VERSION or len(nonce) != _NONCE_SIZE:
                raise InvalidTag
            return self._cipher.decrypt(nonce, body, context)
        except InvalidTag:
            raise PermanentError(
                "UNSEAL_FAILED",
                "a sealed value cannot be opened: it was sealed with another key or changed since",
                hint="start with the key file that was in use when it was stored",
            ) from None

    def __repr__(self) -> str:
        return "Sealer(…)"
