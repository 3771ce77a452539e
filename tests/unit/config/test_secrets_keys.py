"""Where the keys that seal secrets come from; they are shown nowhere."""

import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr

from bmn.cli.main import main
from bmn.config.load import load_settings
from bmn.config.secrets_keys import (
    KeyCommand,
    KeyFile,
    KeySource,
    KeyText,
    load_secrets_keys,
    secrets_key_source,
)
from bmn.core.errors import ConfigError

KEY, SECOND = bytes(range(100, 132)), bytes(range(50, 82))
RESOLVER = "[resolver]\ndev_keys = [0]\n"


def a_file(folder: Path, text: str, mode: int = 0o600) -> KeyFile:
    path = folder / "secrets.key"
    path.touch(mode=mode)
    path.write_text(text)
    return KeyFile(path=path)


def a_text(_: Path, text: str) -> KeyText:
    return KeyText(text=SecretStr(text))


def a_command(folder: Path, text: str) -> KeyCommand:
    path = folder / "printed"
    path.write_text(text)
    return KeyCommand(words=(sys.executable, "-c", f"print(open({str(path)!r}).read(), end='')"))


def refusal(source: KeySource) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load_secrets_keys(source)
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + caught.value.hint
    for key in (KEY, SECOND):
        assert key.hex()[:20] not in shown
    assert caught.value.detail
    assert caught.value.hint
    return caught.value


SOURCES = pytest.mark.parametrize("make", [a_file, a_text, a_command])


@SOURCES
def test_every_source_gives_one_key_a_line(make: Callable[[Path, str], KeySource], tmp_path: Path) -> None:
    assert load_secrets_keys(make(tmp_path, KEY.hex())) == (KEY,)
    assert load_secrets_keys(make(tmp_path, f"{KEY.hex()}\n{SECOND.hex().upper()}\n")) == (KEY, SECOND)


@SOURCES
@pytest.mark.parametrize(
    "text", ["", "\n", KEY.hex()[:63], KEY.hex() + "0", "0x" + KEY.hex()[2:], f"{KEY.hex()}\nx", f"{KEY.hex()}\n" * 2]
)
def test_what_is_no_key_is_refused_without_showing_it(
    make: Callable[[Path, str], KeySource], tmp_path: Path, text: str
) -> None:
    assert refusal(make(tmp_path, text)).code == "SECRETS_KEY_BAD"


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    assert refusal(a_file(tmp_path, KEY.hex(), 0o640)).code == "SECRET_FILE_OPEN"


@pytest.mark.parametrize("named_by", ["resolver.secrets_key_file", "--new-key-file"])
def test_a_file_that_is_not_there_is_told_with_what_named_it(tmp_path: Path, named_by: str) -> None:
    error = refusal(KeyFile(path=tmp_path / "none.key", named_by=named_by))
    assert error.code == "SECRET_FILE_MISSING"
    assert error.detail.startswith(f"{named_by} names {tmp_path / 'none.key'}")


def test_a_command_that_fails_is_quoted_without_anything_like_a_key() -> None:
    program = f"import sys; print('{SECOND.hex()}'); sys.exit('no such key ring: prod; had {KEY.hex()}')"
    error = refusal(KeyCommand(words=(sys.executable, "-c", program)))
    assert error.code == "SECRETS_KEY_COMMAND"
    assert "code 1" in error.detail
    assert "no such key ring: prod" in error.detail


def test_a_key_at_the_edge_of_what_is_quoted_is_left_out_whole() -> None:
    program = f"import sys; sys.exit('{KEY.hex()} ' + 'x ' * 120 + 'is not the key of this ring')"
    said = refusal(KeyCommand(words=(sys.executable, "-c", program))).detail
    assert "is not the key of this ring" in said
    assert KEY.hex()[-8:] not in said


def test_a_command_is_not_waited_for_longer_than_its_time() -> None:
    program = f"import signal; print('{KEY.hex()}', flush=True); signal.pause()"
    error = refusal(KeyCommand(words=(sys.executable, "-c", program), timeout=0.5))
    assert error.code == "SECRETS_KEY_COMMAND"
    assert "longer than 0.5 s" in error.detail


def test_a_command_that_is_not_there_is_named(tmp_path: Path) -> None:
    error = refusal(KeyCommand(words=(str(tmp_path / "unwrap"),)))
    assert error.code == "SECRETS_KEY_COMMAND"
    assert "No such file" in error.detail


def test_no_shell_reads_the_words_of_a_command() -> None:
    words = (
        sys.executable,
        "-c",
        f"import sys; print('{KEY.hex()}' if sys.argv[1:] == ['$HOME; x'] else '')",
        "$HOME; x",
    )
    assert load_secrets_keys(KeyCommand(words=words)) == (KEY,)


@pytest.fixture
def settings_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    for name in [*os.environ]:
        if name.startswith("BMN_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def write(text: str) -> Path:
        path = tmp_path / "bmn.toml"
        path.write_text(text)
        return path

    return write


def source_in(path: Path) -> KeySource:
    settings = load_settings(path)
    assert settings.resolver is not None
    return secrets_key_source(settings, settings.resolver)


def test_the_settings_name_one_place(
    settings_in: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = settings_in(RESOLVER + 'secrets_key_file = "a.key"\n')
    assert source_in(file) == KeyFile(path=tmp_path / "a.key")
    command = settings_in(RESOLVER + 'secrets_key_command = ["/bin/unwrap", "prod"]\n')
    assert source_in(command) == KeyCommand(words=("/bin/unwrap", "prod"))
    monkeypatch.setenv("BMN_SECRETS_KEY", KEY.hex())
    assert source_in(settings_in(RESOLVER)) == KeyText(text=SecretStr(KEY.hex()))
    monkeypatch.delenv("BMN_SECRETS_KEY")
    (tmp_path / "bmn_secrets_key").write_text(SECOND.hex())
    monkeypatch.setenv("BMN_SECRETS_DIR", str(tmp_path))
    assert source_in(settings_in(RESOLVER)) == KeyText(text=SecretStr(SECOND.hex()))


@pytest.mark.parametrize(
    ("text", "environment"),
    [
        ("", ""),
        ('secrets_key_file = "a"\nsecrets_key_command = ["b"]\n', ""),
        ('secrets_key_file = "a"\n', KEY.hex()),
        ("secrets_key_command = []\n", ""),
    ],
)
def test_no_place_and_two_places_are_refused(
    settings_in: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, text: str, environment: str
) -> None:
    monkeypatch.setenv("BMN_SECRETS_KEY", environment)
    with pytest.raises(ConfigError) as caught:
        load_settings(settings_in(RESOLVER + text))
    assert "resolver.secrets_key" in caught.value.detail
    assert KEY.hex() not in str(caught.value)


def test_a_key_in_the_settings_file_is_refused_and_not_shown(settings_in: Callable[[str], Path]) -> None:
    with pytest.raises(ConfigError, match="secrets_key: a key has no place in this file") as caught:
        load_settings(settings_in(f'secrets_key = "{KEY.hex()}"\n'))
    assert KEY.hex() not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_the_key_of_the_environment_is_not_shown_with_the_settings(
    settings_in: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
) -> None:
    path = settings_in(RESOLVER)
    monkeypatch.setenv("BMN_SECRETS_KEY", KEY.hex())
    with pytest.raises(SystemExit) as ended:
        main(["config", "show", "--config", str(path), *words])
    assert ended.value.code == 0
    shown = capsys.readouterr()
    assert "dev_keys" in shown.out
    assert 'secrets_key"' not in shown.out
    assert KEY.hex() not in shown.out + shown.err + repr(load_settings(path))
