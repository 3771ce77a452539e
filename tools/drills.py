"""Run every drill at its full count and write docs/reliability.md. Arguments: words; then only drills with one of them.

What passed is remembered for the commit in `.bmn-drills/`, so a run that was stopped goes on where it was.
A drill is a test function marked `drill`, with all its parameters; its seed is BMN_SEED, or a new one.
"""

import os
import random
import re
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "docs/reliability.md"
_MEMORY = ROOT / ".bmn-drills"
_CODE = ("src", "tests", "contracts", "requirements", "pyproject.toml")

_HEAD = """# Reliability

What was done to the system on purpose, what it promises then, and the worst that was seen. Written by `make drill`,
which runs each drill at its full count; `make test` runs the same drills at a reduced count. `make drill ARGS=WORD`
runs those with the word in their name, and `BMN_SEED=…` plays the same faults again.

| drill | what was done | seed | promised | worst seen | took | date | commit |
|---|---|---|---|---|---|---|---|
"""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """How a drill ended."""

    passed: bool
    count: str
    seed: str
    bound: str
    worst: str
    seconds: int
    date: str
    commit: str


def main(words: list[str]) -> int:
    """Run what has not passed at this commit; return the exit code."""
    commit = _commit()
    _MEMORY.mkdir(exist_ok=True)
    drills = [drill for drill in _collect() if not words or any(word in drill for word in words)]
    results = _load()
    for number, drill in enumerate(drills, 1):
        say = f"[{number}/{len(drills)}] {_title(drill)}"
        known = results.get(drill)
        if known is not None and known.passed and known.commit == commit and not commit.endswith("+"):
            print(f"{say}: passed before", flush=True)
            continue
        print(f"{say} ...", flush=True)
        results[drill] = result = _run(drill, commit)
        (_MEMORY / "results.json").write_bytes(msgspec.json.format(msgspec.json.encode(results)))
        print(f"    {'passed' if result.passed else 'FAILED'} in {result.seconds} s: {result.worst}", flush=True)
        TARGET.write_text(_draw(results), encoding="utf-8")
    failed = [drill for drill in drills if not results[drill].passed]
    for drill in failed:
        print(f"failed: {drill}, see {_log(drill).relative_to(ROOT)}")
    return 1 if failed else 0


def _collect() -> list[str]:
    """Return the drills as FILE::FUNCTION."""
    command = [sys.executable, "-m", "pytest", "-m", "drill", "--collect-only", "-q", "--no-header"]
    done = subprocess.run(command, cwd=ROOT, env=_environment(), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stdout + done.stderr)
    names = (line.partition("[")[0] for line in done.stdout.splitlines() if "::" in line)
    return list(dict.fromkeys(names))


def _run(drill: str, commit: str) -> Result:
    seed = int(os.environ.get("BMN_SEED") or random.SystemRandom().randrange(1 << 32))
    report = _log(drill).with_suffix(".xml")
    command = [sys.executable, "-m", "pytest", drill, "--timeout=0", "-o", "junit_family=xunit1"]
    started = time.monotonic()
    with _log(drill).open("wb") as log:
        done = subprocess.run(
            [*command, f"--junitxml={report}"],
            cwd=ROOT,
            env=_environment() | {"BMN_SEED": str(seed)},
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
    passed = done.returncode == 0
    cases = list(ET.parse(report).iter("testcase")) if passed else []
    noted = {str(one.get("name")): str(one.get("value")) for case in cases for one in case.iter("property")}
    longest = max((float(case.get("time", 0)) for case in cases), default=0.0)
    return Result(
        passed=passed,
        count=noted.get("count", f"{len(cases)} runs"),
        seed=noted.get("seed", ""),
        bound=noted.get("bound", "each passes"),
        worst=noted.get("worst", f"the longest took {longest:.0f} s") if passed else "**failed**",
        seconds=round(time.monotonic() - started),
        date=datetime.now(UTC).date().isoformat(),
        commit=commit,
    )


def _draw(results: dict[str, Result]) -> str:
    rows = [
        f"| [{_title(drill)}](../{drill.partition('::')[0]}) | {one.count} | {one.seed} | {one.bound} | {one.worst} "
        f"| {one.seconds} s | {one.date} | {one.commit} |\n"
        for drill, one in sorted(results.items())
        if (ROOT / drill.partition("::")[0]).is_file()
    ]
    return _HEAD + "".join(rows)


def _title(drill: str) -> str:
    return drill.rpartition("::")[2].removeprefix("test_").replace("_", " ")


def _log(drill: str) -> Path:
    return _MEMORY / (re.sub(r"\W+", "-", drill.rpartition("::")[2]) + ".log")


def _load() -> dict[str, Result]:
    try:
        return msgspec.json.decode((_MEMORY / "results.json").read_bytes(), type=dict[str, Result])
    except FileNotFoundError:
        return {}


def _commit() -> str:
    """Return the short name of the commit; with a `+` when files differ from it, and then nothing is skipped."""
    changed = _git("status", "--porcelain", "--", *_CODE)
    return _git("rev-parse", "--short=10", "HEAD") + ("+" if changed else "")


def _git(*arguments: str) -> str:
    command = ["git", "-c", "safe.directory=*", *arguments]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def _environment() -> dict[str, str]:
    return dict(os.environ) | {"BMN_DRILL": "full"}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
