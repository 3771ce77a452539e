"""`python -m tests.vector_runner [--dir DIR] [FILE …]`: run the golden vectors and print a table."""

import argparse
import sys
from pathlib import Path

from tests.vector_runner.cases import vectors_dir
from tests.vector_runner.runner import run_file


def main() -> int:
    """Return 0 only if no case failed, and there were cases."""
    parser = argparse.ArgumentParser(prog="vector_runner", description=__doc__)
    parser.add_argument("--dir", type=Path, default=vectors_dir(), help="folder of vector files (or BMN_VECTORS)")
    parser.add_argument("files", nargs="*", help="names of files without .json; all if none are given")
    arguments = parser.parse_args()
    paths = sorted(path for path in arguments.dir.glob("*.json") if not arguments.files or path.stem in arguments.files)
    if not paths:
        print(f"no vector files in {arguments.dir}", file=sys.stderr)
        return 1
    failures: list[str] = []
    totals = [0, 0]
    print(f"{'file':<18} {'passed':>7} {'failed':>7}")
    for path in paths:
        outcomes = run_file(path)
        failed = [outcome for outcome in outcomes if outcome.failure is not None]
        counts = [len(outcomes) - len(failed), len(failed)]
        totals = [total + count for total, count in zip(totals, counts, strict=True)]
        print(f"{path.stem:<18} {counts[0]:>7} {counts[1]:>7}", flush=True)
        failures += [f"{outcome.case_id}: {outcome.failure}" for outcome in failed]
    print(f"{'all':<18} {totals[0]:>7} {totals[1]:>7}")
    for failure in failures:
        print(f"FAILED {failure}")
    return 1 if failures or not any(totals) else 0


if __name__ == "__main__":
    sys.exit(main())
