import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from eth_account import Account

from bmn.core.errors import BadInput, BmnError, ConfigError, NotFound, Refused
from bmn.core.units import Hash32
from bmn.evm import keystore
from bmn.evm.keystore import create_key, import_key, list_keys, load_key
from bmn.evm.signer import LocalSigner

KEY = bytes(31) + b"\x07"
LIGHT = 1 << 10


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "keys"


def code_of(error: pytest.ExceptionInfo[BmnError]) -> str:
    assert KEY.hex() not in str(error.value)
    assert "hunter2" not in str(error.value)
    return error.value.code


async def test_an_imported_key_signs_as_before(folder: Path) -> None:
    entry = import_key(folder, KEY, "hunter2", scrypt_n=LIGHT)
    signer = load_key(entry.path, "hunter2")
    assert signer.address == entry.address == LocalSigner(KEY).address
    digest = Hash32(b"\x01" * 32)
    assert await signer.sign_digest(digest) == await LocalSigner(KEY).sign_digest(digest)


def test_a_created_key_is_new_each_time_and_listed_by_address(folder: Path) -> None:
    made = [create_key(folder, "hunter2", scrypt_n=LIGHT) for _ in range(3)]
    assert len({entry.address for entry in made}) == 3
    assert list_keys(folder) == tuple(sorted(made, key=lambda entry: entry.address))


def test_the_files_are_those_of_other_tools(folder: Path) -> None:
    entry = import_key(folder, KEY, "hunter2", scrypt_n=LIGHT)
    assert bytes(Account.decrypt(entry.path.read_text(), "hunter2")) == KEY
    other = folder / "other.json"
    other.write_text(json.dumps(Account.encrypt(KEY, "x", kdf="pbkdf2", iterations=10)))
    assert load_key(other, "x").address == entry.address


def test_only_the_owner_can_look(folder: Path) -> None:
    entry = import_key(folder, KEY, "hunter2", scrypt_n=LIGHT)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(entry.path.stat().st_mode) == 0o600
    assert [path.name for path in folder.iterdir()] == [entry.path.name]


def test_a_folder_others_can_look_into_is_refused(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o750)
    with pytest.raises(ConfigError) as caught:
        import_key(folder, KEY, "hunter2", scrypt_n=LIGHT)
    assert code_of(caught) == "KEY_FOLDER_OPEN"
    assert list(folder.iterdir()) == []


def test_a_key_file_is_never_replaced(folder: Path) -> None:
    entry = import_key(folder, KEY, "hunter2", scrypt_n=LIGHT)
    before = entry.path.read_bytes()
    with pytest.raises(Refused) as caught:
        import_key(folder, KEY, "other", scrypt_n=LIGHT)
    assert code_of(caught) == "KEY_EXISTS"
    assert entry.path.read_bytes() == before


def test_a_key_file_that_appears_meanwhile_is_not_replaced_either(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    path = folder / "taken.json"
    path.write_bytes(b"theirs")
    with pytest.raises(Refused):
        keystore._write_new(path, b"ours", LocalSigner(KEY).address)
    assert path.read_bytes() == b"theirs"
    assert list(folder.iterdir()) == [path]


def test_a_wrong_password_is_named_as_such(folder: Path) -> None:
    entry = import_key(folder, KEY, "hunter2", scrypt_n=LIGHT)
    with pytest.raises(BadInput) as caught:
        load_key(entry.path, "hunter3")
    assert code_of(caught) == "BAD_PASSWORD"


def test_an_empty_password_is_refused(folder: Path) -> None:
    with pytest.raises(BadInput) as caught:
        import_key(folder, KEY, "", scrypt_n=LIGHT)
    assert code_of(caught) == "EMPTY_PASSWORD"


def test_a_missing_file_is_not_found_and_a_missing_folder_is_empty(folder: Path) -> None:
    with pytest.raises(NotFound):
        load_key(folder / "none.json", "hunter2")
    assert list_keys(folder) == ()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "no json",
        "[]",
        "{}",
        '{"address": 5}',
        '{"address": "xy"}',
        '{"address": "' + "00" * 20 + '", "version": 3}',
    ],
)
def test_a_file_that_is_no_keystore_is_named(folder: Path, content: str) -> None:
    folder.mkdir(mode=0o700)
    path = folder / "bad.json"
    path.write_text(content)
    with pytest.raises(BadInput) as caught:
        load_key(path, "hunter2")
    assert code_of(caught) in {"BAD_KEY_FILE", "BAD_HEX"}


def test_a_file_that_lies_about_its_address_is_refused(folder: Path) -> None:
    entry = import_key(folder, KEY, "hunter2", scrypt_n=LIGHT)
    content = json.loads(entry.path.read_text()) | {"address": "11" * 20}
    entry.path.write_text(json.dumps(content))
    with pytest.raises(BadInput) as caught:
        load_key(entry.path, "hunter2")
    assert code_of(caught) == "BAD_KEY_FILE"


DEEP = """
import sys
from pathlib import Path
import msgspec
from bmn.evm.keystore import import_key, load_key
load_key(import_key(Path(sys.argv[1]), bytes(31) + b"\\1", "x", scrypt_n=1024).path, "x")
try:
    msgspec.json.decode(b"[" * 100_000)
except RecursionError:
    print("refused")
"""


def test_deep_json_does_not_end_a_process_that_opened_a_key(folder: Path) -> None:
    done = subprocess.run([sys.executable, "-c", DEEP, folder], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "refused\n"), done.stderr
