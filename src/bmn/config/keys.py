"""The keys that the settings name. Opening key files takes about a second each: do it in a thread."""

from collections.abc import Collection
from pathlib import Path
from typing import Final

from bmn.config.settings import MakerSection, ResolverSection, Settings
from bmn.core.errors import ConfigError
from bmn.core.units import Address, ChainId
from bmn.evm.devkeys import DEV_ADDRESSES, dev_signer
from bmn.evm.keystore import load_key
from bmn.evm.signer import LocalSigner

_SHORTEST_TOKEN: Final = 16


def keystore_folder(settings: Settings, named: Path | None = None) -> Path:
    """Return the folder of key files."""
    return named or settings.home / "keys"


def operator_addresses(resolver: ResolverSection) -> tuple[Address, ...]:
    """Return the accounts that sign, without opening a key.

    Raises:
        ConfigError: CONFIG_INVALID, a dev key that does not exist.
    """
    missing = [index for index in resolver.dev_keys if index >= len(DEV_ADDRESSES)]
    if missing:
        raise ConfigError("CONFIG_INVALID", f"resolver.dev_keys: there is no dev key {missing[0]}; they end at 9")
    return (*(DEV_ADDRESSES[index] for index in resolver.dev_keys), *resolver.signers)


def load_operators(settings: Settings, resolver: ResolverSection) -> tuple[LocalSigner, ...]:
    """Open the keys that sign, in the order of `operator_addresses`.

    Raises:
        Refused: DEV_KEY_ON_REAL_CHAIN.
        NotFound, BadInput: a key file is missing or does not open.
        ConfigError: the password file is missing.
    """
    chain_ids = [ChainId(chain.id) for chain in settings.chains.values()]
    devs = [dev_signer(index, chain_ids) for index in resolver.dev_keys]
    if not resolver.signers:
        return tuple(devs)
    assert resolver.password_file is not None
    password = read_secret_file(resolver.password_file, "resolver.password_file")
    folder = keystore_folder(settings, resolver.keystore)
    return (*devs, *(load_key(folder / f"{account.hex()}.json", password) for account in resolver.signers))


def load_maker(settings: Settings, maker: MakerSection, chain_ids: Collection[ChainId], password: str) -> LocalSigner:
    """Open the maker's key; `password` is not used for a dev key.

    Raises:
        Refused: DEV_KEY_ON_REAL_CHAIN.
        NotFound, BadInput: the key file is missing or does not open.
    """
    if maker.dev_key is not None:
        return dev_signer(maker.dev_key, chain_ids)
    assert maker.account is not None
    return load_key(keystore_folder(settings, maker.keystore) / f"{maker.account.hex()}.json", password)


def load_operator_token(settings: Settings) -> str | None:
    """Return what opens the operator's listener; None: it is off.

    Raises:
        ConfigError: OPERATOR_TOKEN_BAD, too short; or the file cannot be used.
    """
    path = settings.api.operator_token_file
    if path is None:
        return None
    token = read_secret_file(path, "api.operator_token_file").strip()
    if len(token) < _SHORTEST_TOKEN:
        raise ConfigError(
            "OPERATOR_TOKEN_BAD",
            f"{path} holds less than {_SHORTEST_TOKEN} characters",
            hint=f"make one: openssl rand -hex 32 > {path}",
        )
    return token


def read_secret_file(path: Path, setting: str) -> str:
    """Return the content without the line end.

    Raises:
        ConfigError: SECRET_FILE_MISSING, or SECRET_FILE_OPEN when others can read it.
    """
    try:
        text = path.read_text()
        mode = path.stat().st_mode
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            "SECRET_FILE_MISSING",
            f"{setting} names {path}, which cannot be read: {type(error).__name__}",
            hint=f"correct {setting}, or the file",
        ) from error
    if mode & 0o077:
        raise ConfigError("SECRET_FILE_OPEN", f"others can read {path}", hint=f"chmod 600 {path}")
    return text.rstrip("\r\n")
