"""Encrypted key files: keystore version 3, one file per account, as geth and others read and write them.

Everything here blocks (the key derivation takes about a second on purpose): call it from a thread or a command.
"""

import json
import os
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Final

from bmn.core.errors import BadInput, ConfigError, NotFound, Refused
from bmn.core.units import Address
from bmn.evm.signer import LocalSigner

STANDARD_SCRYPT_N: Final = 1 << 18
"""Work factor of new files; a lower one is for tests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFile:
    """A key file, not opened."""

    address: Address
    """The account, as the file claims."""
    path: Path
    """Where it is."""


def load_eth_account() -> ModuleType:
    """Return the library that encrypts key files; it is large, so it is imported at first use.

    One of its dependencies raises the recursion limit of the whole process to 100,000. Deeply nested JSON from outside
    would then overflow the stack and end the process, where it must be a RecursionError: the limit is put back.
    """
    limit = sys.getrecursionlimit()
    try:
        import eth_account
    finally:
        sys.setrecursionlimit(limit)
    return eth_account


def create_key(folder: Path, password: str, *, scrypt_n: int = STANDARD_SCRYPT_N) -> KeyFile:
    """Make a new key and store it in `folder`.

    Raises:
        BadInput: EMPTY_PASSWORD.
        ConfigError: KEY_FOLDER_OPEN.
    """
    while True:
        try:
            return import_key(folder, secrets.token_bytes(32), password, scrypt_n=scrypt_n)
        except BadInput as error:
            if error.code != "BAD_KEY":  # one in 2^128 draws lies beyond the order of the curve
                raise


def import_key(folder: Path, private_key: bytes, password: str, *, scrypt_n: int = STANDARD_SCRYPT_N) -> KeyFile:
    """Store `private_key` in `folder`, made if need be; never replaces a file.

    Raises:
        BadInput: BAD_KEY, EMPTY_PASSWORD.
        Refused: KEY_EXISTS.
        ConfigError: KEY_FOLDER_OPEN, others can look into the folder.
    """
    eth_account = load_eth_account()
    if not password:
        raise BadInput("EMPTY_PASSWORD", "a key file without password protects nothing")
    address = LocalSigner(private_key).address
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_mode & 0o077:
        raise ConfigError("KEY_FOLDER_OPEN", f"others can look into {folder}", hint=f"chmod 700 {folder}")
    path = folder / f"{address.hex()}.json"
    if path.exists():
        raise _exists(address, path)
    content = eth_account.Account.encrypt(private_key, password, kdf="scrypt", iterations=scrypt_n)
    _write_new(path, json.dumps(content).encode(), address)
    return KeyFile(address=address, path=path)


def load_key(path: Path, password: str) -> LocalSigner:
    """Open a key file.

    Raises:
        NotFound: NO_KEY_FILE.
        BadInput: BAD_KEY_FILE, BAD_PASSWORD.
    """
    eth_account = load_eth_account()
    content = _read(path)
    claimed = _claimed_address(content, path)
    try:
        signer = LocalSigner(bytes(eth_account.Account.decrypt(content, password)))
    except ValueError as error:
        if "MAC mismatch" in str(error):
            raise BadInput("BAD_PASSWORD", f"the password does not open {path}") from None
        raise BadInput("BAD_KEY_FILE", f"{path} cannot be decrypted: {type(error).__name__}") from None
    except (KeyError, TypeError, NotImplementedError) as error:
        raise BadInput("BAD_KEY_FILE", f"{path} is no keystore of version 3: {type(error).__name__}") from None
    if signer.address != claimed:
        raise BadInput("BAD_KEY_FILE", f"{path} says {claimed} but holds the key of {signer.address}")
    return signer


def list_keys(folder: Path) -> tuple[KeyFile, ...]:
    """Return the key files in `folder`, by address; a missing folder has none.

    Raises:
        BadInput: BAD_KEY_FILE; a file there is not a keystore.
    """
    found = [KeyFile(address=_claimed_address(_read(path), path), path=path) for path in folder.glob("*.json")]
    return tuple(sorted(found, key=lambda entry: entry.address))


def _read(path: Path) -> dict[str, object]:
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise NotFound("NO_KEY_FILE", f"there is no key file {path}") from error
    except ValueError as error:
        raise BadInput("BAD_KEY_FILE", f"{path} is not JSON") from error
    if not isinstance(content, dict):
        raise BadInput("BAD_KEY_FILE", f"{path} is no keystore of version 3")
    return content


def _claimed_address(content: dict[str, object], path: Path) -> Address:
    text = content.get("address")
    if not isinstance(text, str):
        raise BadInput("BAD_KEY_FILE", f"{path} names no address")
    return Address.from_hex("0x" + text.removeprefix("0x").lower())


def _write_new(path: Path, content: bytes, address: Address) -> None:
    """Write all of `content` to a new file or nothing; survives a crash at any point."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # A link, unlike a rename, fails when the name is taken: a key is never overwritten.
        os.link(draft, path)
    except FileExistsError as error:
        raise _exists(address, path) from error
    finally:
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _exists(address: Address, path: Path) -> Refused:
    return Refused("KEY_EXISTS", f"the key of {address} is already in {path}")
