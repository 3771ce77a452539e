"""Places where a drill kills the process as if the power went out; in production they do nothing."""

import os
import signal
from collections import Counter

_SETTING = "BMN_CRASHPOINT"
_passed: Counter[str] = Counter()


def crashpoint(name: str) -> None:
    """Die by SIGKILL here if `BMN_CRASHPOINT` is `name`, or on the n-th pass if it is `name:n`."""
    setting = os.environ.get(_SETTING)
    if setting is None:
        return
    wanted, _, nth = setting.partition(":")
    if name != wanted:
        return
    _passed[name] += 1
    if _passed[name] == int(nth or "1"):
        os.kill(os.getpid(), signal.SIGKILL)
