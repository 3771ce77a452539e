import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("aiohttp", "asyncpg", "pydantic", "eth_account", "litestar", "alembic")
COMMANDS = """chain list|chain status|config check|config show|contracts deploy|contracts list|contracts verify|demo
|devnet up|doctor|indexer status|jobs|jobs pause|jobs resume|jobs run|jobs show|keys create|keys import|keys list
|migrate|order cancel|order create|order list
|order reveal|order show|order submit|order watch|order withdraw|queue dead drop|queue dead list|queue dead retry
|queue dead show|queue depth|run|secrets rotate|secrets status|status
|swap explain|swap history|swap list|swap show|swap watch|tx list""".replace("\n", "").split("|")


def bmn(*words: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BMN_")}
    return subprocess.run(
        [sys.executable, "-m", "bmn", *words],
        cwd=cwd,
        env=kept | variables,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )


def one_line(done: subprocess.CompletedProcess[str], code: str, exit_code: int) -> None:
    assert done.returncode == exit_code, done.stderr
    assert done.stderr.startswith(f"{code}: ")
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    code = "import sys\nfrom bmn.cli.main import main\ntry:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
    code += f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_every_commands_help_has_an_example_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    from bmn.cli.main import main

    for command in COMMANDS:
        with pytest.raises(SystemExit) as ended:
            main([*command.split(), "--help"])
        assert ended.value.code == 0
        assert f"Example: bmn {command}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "code", "exit_code"),
    [
        (["swpa"], "USAGE", 2),
        (["queue", "dead", "show", "x"], "USAGE", 2),
        (["status"], "CONFIG_INVALID", 4),
        (["config", "check", "--config", "missing.toml"], "CONFIG_MISSING", 3),
        (["order", "list"], "CONFIG_INVALID", 4),
        (["keys", "create"], "NO_PASSWORD", 2),
        (["tx", "list", "0x12"], "BAD_LENGTH", 2),
        (["swap", "list", "--state", "SOLD"], "UNKNOWN_STATE", 2),
        (
            ["contracts", "deploy", "--rpc", "http://127.0.0.1:1", "--chain-id", "31337", "--dev-key", "0"],
            "RPC_UNREACHABLE",
            5,
        ),
        (
            ["contracts", "deploy", "--rpc", "http://127.0.0.1:1", "--chain-id", "1", "--dev-key", "0"],
            "DEV_KEY_ON_REAL_CHAIN",
            4,
        ),
    ],
)
def test_bad_input_gets_one_line_and_its_exit_code(tmp_path: Path, words: list[str], code: str, exit_code: int) -> None:
    one_line(bmn(*words, cwd=tmp_path), code, exit_code)


@pytest.mark.parametrize("number", ["-1", str(2**63)])
@pytest.mark.parametrize(
    "words",
    [
        ["jobs", "show", "state-sync", "--limit"],
        ["swap", "list", "--limit"],
        ["swap", "list", "--below"],
        ["swap", "watch", "--after"],
        ["queue", "dead", "show"],
        ["queue", "dead", "retry"],
        ["queue", "dead", "drop"],
    ],
)
def test_a_number_that_cannot_be_is_refused_before_anything_is_asked(
    words: list[str], number: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from bmn.cli.main import main

    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main([*words, number])
    assert ended.value.code == 2
    assert f'USAGE: Invalid value "{number}"' in capsys.readouterr().err


def test_a_failure_does_not_move_the_terminal(tmp_path: Path) -> None:
    done = bmn("config", "check", "--config", "mis\x1b[2J\nsing.toml", cwd=tmp_path)
    one_line(done, "CONFIG_MISSING", 3)
    assert "\x1b" not in done.stderr


def test_an_unknown_key_gets_one_line_with_the_right_one(tmp_path: Path) -> None:
    (tmp_path / "bmn.toml").write_text("[api]\nprot = 8080\n")
    done = bmn("config", "check", cwd=tmp_path)
    one_line(done, "CONFIG_INVALID", 4)
    assert "did you mean `port`?" in done.stderr


def test_no_anvil_says_what_to_do(tmp_path: Path) -> None:
    done = bmn("devnet", "up", cwd=tmp_path, ANVIL_BIN="/nowhere/anvil")
    one_line(done, "ANVIL_MISSING", 4)


def test_json_is_one_document(tmp_path: Path) -> None:
    known = json.loads(bmn("contracts", "list", "--json", cwd=tmp_path).stdout)["known"]
    [refused] = [one for one in known if one["address"] == "0x75ee15F6BfDd06Aee499ed95e8D92a114659f4d1"]
    assert refused["standing"] == "refused"
    assert "lost for ever" in refused["reason"]
