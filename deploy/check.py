"""`make check`: everything that can be said without services, two things at a time, the slowest first.

Prints one line per check and the whole output of those that fail; exits with 1 if any did.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
AT_ONCE = 2
# for what hangs: the types alone take a busy machine minutes where nothing is kept from before
MOST_SECONDS = 900
# two halves of about the same length: one process would keep one core busy and let the other wait
HEAVY = "tests/unit/order"
PYTEST = [sys.executable, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider"]
CHECKS: Mapping[str, Sequence[str]] = {
    "types": [str(BIN / "mypy"), "--no-error-summary"],
    "unit tests, order": [*PYTEST, HEAVY],
    "unit tests, others": [*PYTEST, "tests/unit", "--ignore", HEAVY],
    "import rules": [str(BIN / "lint-imports"), "--cache-dir", ".import_linter_cache"],
    "generated files": [sys.executable, "-m", "contracts.generate", "--check"],
    "lint": [str(BIN / "ruff"), "check", "--quiet", "."],
    "format": [str(BIN / "ruff"), "format", "--check", "--quiet", "."],
}


def main() -> int:
    """Returns the exit code."""
    began = time.monotonic()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = list(pool.map(_run, CHECKS.items()))
    for name, seconds, done in results:
        print(f"{'ok    ' if done.returncode == 0 else 'FAILED'}  {name:<20} {seconds:5.1f} s", flush=True)
    for name, _, done in results:
        if done.returncode:
            print(f"\n--- {name}: {' '.join(done.args)}\n{done.stdout}")
    print(f"        all together         {time.monotonic() - began:5.1f} s")
    return 1 if any(done.returncode for _, _, done in results) else 0


def _run(check: tuple[str, Sequence[str]]) -> tuple[str, float, subprocess.CompletedProcess[str]]:
    name, command = check
    began = time.monotonic()
    try:
        done = subprocess.run(
            command, cwd=ROOT, text=True, timeout=MOST_SECONDS,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        done = subprocess.CompletedProcess(list(command), 1, f"not finished after {MOST_SECONDS} s\n")
    return name, time.monotonic() - began, done


if __name__ == "__main__":
    sys.exit(main())
