"""`bmn keys`."""

import getpass
import os
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from bmn.cli.running import COMMON, Common, answer, columns, read_settings

app = App(name="keys", help="Encrypted key files.")

PasswordFile = Annotated[
    Path | None, Parameter(help="File with the password; else BMN_KEY_PASSWORD, else the terminal is asked.")
]


@app.command(help_epilogue="Example: bmn keys create --password-file password.txt")
def create(*, password_file: PasswordFile = None, common: Common = COMMON) -> None:
    """Make a new key and store it encrypted in the keystore."""
    from bmn.config.keys import keystore_folder
    from bmn.evm.keystore import create_key

    folder = keystore_folder(read_settings(common))
    made = create_key(folder, read_password(password_file, is_new=True))
    answer({"address": str(made.address), "path": str(made.path)}, [str(made.address), f"in {made.path}"], common)


@app.command(name="import", help_epilogue="Example: bmn keys import key.hex --password-file password.txt")
def import_(
    source: Annotated[Path, Parameter(help="File with the key as hex digits; delete it afterwards.")],
    /,
    *,
    password_file: PasswordFile = None,
    common: Common = COMMON,
) -> None:
    """Store an existing private key encrypted in the keystore."""
    from bmn.config.keys import keystore_folder, read_secret_file
    from bmn.core.errors import BadInput
    from bmn.evm.keystore import import_key

    try:
        private_key = bytes.fromhex(read_secret_file(source, "the command").strip().removeprefix("0x"))
    except ValueError:
        raise BadInput("BAD_KEY", f"{source} does not hold hex digits") from None
    folder = keystore_folder(read_settings(common))
    made = import_key(folder, private_key, read_password(password_file, is_new=True))
    answer({"address": str(made.address), "path": str(made.path)}, [str(made.address), f"in {made.path}"], common)


@app.command(name="list", help_epilogue="Example: bmn keys list --json")
def list_(*, common: Common = COMMON) -> None:
    """List the accounts of the keystore; opens no key."""
    from bmn.config.keys import keystore_folder
    from bmn.evm.keystore import list_keys

    found = list_keys(keystore_folder(read_settings(common)))
    document = [{"address": str(key.address), "path": str(key.path)} for key in found]
    rows = [(key.address, key.path) for key in found]
    answer(document, columns(["address", "file"], rows, empty="no keys; make one with: bmn keys create"), common)


def read_password(file: Path | None, *, is_new: bool = False) -> str:
    """Return a password from `file`, BMN_KEY_PASSWORD or the terminal, which is asked twice for a new one.

    Raises:
        BadInput: NO_PASSWORD, there is no terminal to ask; PASSWORDS_DIFFER.
        ConfigError: the file cannot be read, or others can.
    """
    from bmn.config.keys import read_secret_file
    from bmn.core.errors import BadInput

    if file is not None:
        return read_secret_file(file, "--password-file")
    if password := os.environ.get("BMN_KEY_PASSWORD"):
        return password
    if not sys.stdin.isatty():
        raise BadInput("NO_PASSWORD", "there is no terminal to ask for the password", hint="give --password-file FILE")
    password = getpass.getpass("Password: ")
    if is_new and getpass.getpass("Again: ") != password:
        raise BadInput("PASSWORDS_DIFFER", "the two passwords are not the same", hint="try again")
    return password
