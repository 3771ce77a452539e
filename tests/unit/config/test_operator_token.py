from pathlib import Path

import pytest

from bmn.config.keys import load_operator_token
from bmn.config.load import load_settings
from bmn.core.errors import ConfigError


def written(tmp_path: Path, token: str | None, *, mode: int = 0o600) -> Path:
    file = tmp_path / "bmn.toml"
    file.write_text('[api]\noperator_token_file = "token"\n')
    if token is not None:
        (tmp_path / "token").write_text(token)
        (tmp_path / "token").chmod(mode)
    return file


def test_without_a_file_the_listener_is_off(tmp_path: Path) -> None:
    (tmp_path / "bmn.toml").write_text("")
    settings = load_settings(tmp_path / "bmn.toml")
    assert load_operator_token(settings) is None
    assert (settings.api.operator_host, settings.api.operator_port) == ("127.0.0.1", 8081)


def test_the_token_is_the_files_content_beside_the_settings(tmp_path: Path) -> None:
    assert load_operator_token(load_settings(written(tmp_path, "x" * 16 + "\n"))) == "x" * 16


@pytest.mark.parametrize(
    ("token", "mode", "code"),
    [
        ("x" * 15, 0o600, "OPERATOR_TOKEN_BAD"),
        (" " * 40, 0o600, "OPERATOR_TOKEN_BAD"),
        ("x" * 16, 0o644, "SECRET_FILE_OPEN"),
        (None, 0o600, "SECRET_FILE_MISSING"),
    ],
)
def test_a_token_that_protects_nothing_is_refused(tmp_path: Path, token: str | None, mode: int, code: str) -> None:
    with pytest.raises(ConfigError, match=code) as refused:
        load_operator_token(load_settings(written(tmp_path, token, mode=mode)))
    assert "xxx" not in str(refused.value)
