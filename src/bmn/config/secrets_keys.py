"""The keys that seal secrets in the database: from a file, the environment, or a command that asks a key store.

Each source gives one key a line, 64 hex digits each. The first seals on a new database; all of them open, and during a
rotation the one before and the one after are both there. Nothing that is read here is ever shown.
"""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias, assert_never

from pydantic import SecretStr

from bmn.config.keys import read_secret_file
from bmn.config.settings import ResolverSection, Settings
from bmn.core.errors import ConfigError

_COMMAND_SECONDS: Final = 15.0
_MAKE_ONE: Final = "make a key, once, and keep a copy: openssl rand -hex 32"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFile:
    """A file that only its owner may read."""

    path: Path
    named_by: str = "resolver.secrets_key_file"
    """For people: where its name comes from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyText:
    """What BMN_SECRETS_KEY holds."""

    text: SecretStr


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyCommand:
    """A program and its arguments, such as one that has a KMS unwrap the key; its standard output is the key."""

    words: tuple[str, ...]
    timeout: float = _COMMAND_SECONDS


KeySource: TypeAlias = KeyFile | KeyText | KeyCommand


def secrets_key_source(settings: Settings, resolver: ResolverSection) -> KeySource:
    """Return where the keys are; the settings name exactly one place."""
    if settings.secrets_key is not None:
        return KeyText(text=settings.secrets_key)
    if resolver.secrets_key_command is not None:
        return KeyCommand(words=tuple(resolver.secrets_key_command))
    assert resolver.secrets_key_file is not None
    return KeyFile(path=resolver.secrets_key_file)


def load_secrets_keys(source: KeySource) -> tuple[bytes, ...]:
    """Return the keys, 32 bytes each. A command may take seconds: call this in a thread.

    Raises:
        ConfigError: SECRETS_KEY_BAD, SECRETS_KEY_COMMAND, or as `read_secret_file`; the content is not shown.
    """
    match source:
        case KeyFile(path=path, named_by=named_by):
            return _parse(read_secret_file(path, named_by), str(path))
        case KeyText(text=text):
            return _parse(text.get_secret_value(), "BMN_SECRETS_KEY")
        case KeyCommand():
            return _parse(_ask(source), f"what {source.words[0]} prints")
        case _:
            assert_never(source)


def _parse(text: str, where: str) -> tuple[bytes, ...]:
    lines = text.split()
    if not lines or not all(re.fullmatch(r"[0-9a-fA-F]{64}", line) for line in lines):
        raise ConfigError("SECRETS_KEY_BAD", f"{where} is not 64 hex digits, one key a line", hint=_MAKE_ONE)
    keys = tuple(dict.fromkeys(map(bytes.fromhex, lines)))
    if len(keys) != len(lines):
        raise ConfigError("SECRETS_KEY_BAD", f"{where} has the same key twice", hint="remove one")
    return keys


def _ask(command: KeyCommand) -> str:
    program = command.words[0]
    try:
        done = subprocess.run(  # noqa: S603 - the operator's own command, without a shell
            command.words, stdin=subprocess.DEVNULL, capture_output=True, timeout=command.timeout, check=False
        )
    except subprocess.TimeoutExpired:
        raise ConfigError(
            "SECRETS_KEY_COMMAND",
            f"{program} took longer than {command.timeout:g} s",
            hint="run it by hand and see why",
        ) from None
    except OSError as error:
        raise ConfigError(
            "SECRETS_KEY_COMMAND",
            f"{program} cannot be run: {error.strerror}",
            hint="correct resolver.secrets_key_command",
        ) from error
    if done.returncode != 0:
        raise ConfigError(
            "SECRETS_KEY_COMMAND",
            f"{program} failed with code {done.returncode}: {_complaint(done.stderr)}",
            hint="run it by hand as the user of this process",
        )
    return done.stdout.decode(errors="replace")


def _complaint(stderr: bytes) -> str:
    """Return the end of what it said; whatever looks like a key is left out."""
    said = " ".join(stderr.decode(errors="replace").split())
    # Before the cut: a key that it goes through would not look like one.
    return re.sub(r"[0-9a-zA-Z+/=_-]{32,}", "…", said)[-300:] or "it said nothing"
