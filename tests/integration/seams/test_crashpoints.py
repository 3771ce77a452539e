import os
import signal
import subprocess
import sys

import pytest

PROGRAM = """
from bmn.seams.crash import crashpoint
for name in ("tx.signed", "tx.sent", "tx.signed"):
    crashpoint(name)
    print(name)
"""


@pytest.mark.parametrize(
    ("setting", "passed"),
    [
        (None, 3),
        ("tx.signed", 0),
        ("tx.sent", 1),
        ("tx.signed:2", 2),
        ("tx.signed:3", 3),
        ("nowhere", 3),
    ],
)
def test_dies_exactly_at_the_named_pass(setting: str | None, passed: int) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "BMN_CRASHPOINT"}
    if setting is not None:
        environment["BMN_CRASHPOINT"] = setting
    ended = subprocess.run(
        [sys.executable, "-u", "-c", PROGRAM], env=environment, capture_output=True, text=True, check=False
    )
    assert len(ended.stdout.split()) == passed
    assert ended.returncode == (0 if passed == 3 else -signal.SIGKILL)
