"""Encryption at rest of what must not be read before it is on a chain: secrets, and calldata that carries them.

Each value has a random data key of its own; the master key, named by its id, only wraps data keys. A stored value
stands by itself: whoever holds the master key of its id can open it, whatever else the database holds.
"""

import hashlib
from collections.abc import Sequence
from typing import Final, TypeAlias

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bmn.core.errors import BadInput, PermanentError, TransientError
from bmn.seams import Rng

KEY_SIZE: Final = 32
KEY_ID_SIZE: Final = 8
KeyId: TypeAlias = bytes
"""Names a master key; tells nothing about it."""

_NONCE_SIZE = 12
_TAG_SIZE = 16
_DIRECT = b"\x01"
"""Version (1) || nonce (12) || ciphertext and tag, under the master key itself; not made any more, but opened."""
_WRAPPED = b"\x02"
_HEADER_SIZE = 1 + KEY_ID_SIZE
_WRAP_SIZE = _NONCE_SIZE + KEY_SIZE + _TAG_SIZE


class Sealer:
    """AES-256-GCM under master keys; `context` says what a sealed value is for and must be the same to open it."""

    __slots__ = ("_keys", "_rng", "key_id")

    def __init__(self, key: bytes, rng: Rng, *, others: Sequence[bytes] = ()) -> None:
        """Hold `key`, and `others` that were or will be used, which open and seal only where they are named.

        Raises:
            BadInput: `BAD_SEALING_KEY`, not 32 bytes.
        """
        self._keys = {key_id_of(one): AESGCM(one) for one in (key, *others)}
        self._rng = rng
        self.key_id: KeyId = key_id_of(key)

    @property
    def key_ids(self) -> tuple[KeyId, ...]:
        """The keys it holds, its own first."""
        return tuple(self._keys)

    def seal(self, plain: bytes, context: bytes, key_id: KeyId | None = None) -> bytes:
        """Return version (1) || key id (8) || nonce (12), wrapped data key (48) || nonce (12), ciphertext and tag.

        Under its own key, or the one with `key_id`.

        Raises:
            TransientError: `SECRETS_KEY_UNKNOWN`: it does not hold that key.
        """
        key_id = self.key_id if key_id is None else key_id
        header, data_key = header_of(key_id), self._rng.token_bytes(KEY_SIZE)
        wrapped = self._encrypt(self._key(key_id), data_key, header)
        return header + wrapped + self._encrypt(AESGCM(data_key), plain, context)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Return what was sealed.

        Raises:
            TransientError: `SECRETS_KEY_UNKNOWN`: it does not hold the key; a process that does can open it.
            PermanentError: `UNSEAL_FAILED`: another context, or the bytes were changed.
        """
        try:
            if sealed[:1] == _WRAPPED:
                header, rest = sealed[:_HEADER_SIZE], sealed[_HEADER_SIZE:]
                data_key = _decrypt(self._key(header[1:]), rest[:_WRAP_SIZE], header)
                return _decrypt(AESGCM(data_key), rest[_WRAP_SIZE:], context)
            if sealed[:1] == _DIRECT:
                return self._open_direct(sealed[1:], context)
            raise InvalidTag
        except InvalidTag:
            raise PermanentError(
                "UNSEAL_FAILED",
                "a sealed value cannot be opened: it was sealed with another key or changed since",
                hint="start with the key that was in use when it was stored",
            ) from None

    def _open_direct(self, body: bytes, context: bytes) -> bytes:
        # It does not say which key it was.
        for key in self._keys.values():
            try:
                return _decrypt(key, body, context)
            except InvalidTag:
                continue
        raise InvalidTag

    def _key(self, key_id: KeyId) -> AESGCM:
        if len(key_id) != KEY_ID_SIZE:
            raise InvalidTag
        key = self._keys.get(key_id)
        if key is None:
            raise TransientError(
                "SECRETS_KEY_UNKNOWN",
                f"a sealed value needs the key {key_id.hex()}, which this process was not given",
                hint="add it to the secrets keys of this process and restart it",
            )
        return key

    def _encrypt(self, key: AESGCM, plain: bytes, bound: bytes) -> bytes:
        nonce = self._rng.token_bytes(_NONCE_SIZE)
        return nonce + key.encrypt(nonce, plain, bound)

    def __repr__(self) -> str:
        return "Sealer(…)"


def key_id_of(key: bytes) -> KeyId:
    """Return the id of a master key.

    Raises:
        BadInput: `BAD_SEALING_KEY`, not 32 bytes.
    """
    if len(key) != KEY_SIZE:
        raise BadInput("BAD_SEALING_KEY", f"the key that seals secrets needs {KEY_SIZE} bytes, got {len(key)}")
    return hashlib.sha256(b"bmn sealing key" + key).digest()[:KEY_ID_SIZE]


def header_of(key_id: KeyId) -> bytes:
    """Return what everything that is sealed under a key begins with."""
    return _WRAPPED + key_id


def _decrypt(key: AESGCM, body: bytes, bound: bytes) -> bytes:
    if len(body) < _NONCE_SIZE + _TAG_SIZE:
        raise InvalidTag
    return key.decrypt(body[:_NONCE_SIZE], body[_NONCE_SIZE:], bound)
