"""The files of the project, as the house tests read them."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_MADE_ELSEWHERE = ("tests/vectors/", "src/bmn/bindings/artifacts/")


def committed(*suffixes: str, under: str = "") -> list[Path]:
    """Return the project's own files, or those with one of `suffixes`, that are in the repository and on disk."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "--", under or "."],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    names = [name for name in listed.stdout.split("\0") if name and not name.startswith(_MADE_ELSEWHERE)]
    files = [ROOT / name for name in names if not suffixes or name.endswith(suffixes)]
    return [file for file in files if file.is_file()]


def name_of(file: Path) -> str:
    return str(file.relative_to(ROOT))
