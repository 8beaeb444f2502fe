"""Break each guard of the protocol on purpose, in a copy of the project, and check that a test notices.

    python tools/mutants [WORD …] [--tests PATH] [--jobs N]

WORDs select the guards with one of these words in their name. `--tests` runs these tests instead of each guard's own.
`--jobs` breaks this many guards at the same time, each in a separate copy.
The program exits 1 if the tests do not notice a broken guard, or if an edit no longer fits the source.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

from guards import GUARDS, Guard

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[2]
COPIED = (
    "docs",
    "functions",
    "flows",
    "infra",
    "tests",
    "tools",
    "pyproject.toml",
    "template.yaml",
)
UNBROKEN_LIMIT_S = 1_800.0
"""All tests of all guards take this long at most. A busy machine needs several minutes."""

HANG_S = 300.0
"""If the tests of a mutant take this much longer than all tests of all guards, they hang. That counts as noticed."""

TESTS_FAILED = 1
"""pytest's exit code for failed tests. Every other code except 0 means that pytest ran no test."""

_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S.*?)(?: - |$)", re.MULTILINE)


@dataclass(frozen=True)
class Verdict:
    killed: bool
    by: str
    seconds: float = 0.0


def main() -> int:
    arguments = _arguments()
    guards = [guard for guard in GUARDS if _is_selected(guard, arguments.words)]
    if arguments.tests:
        guards = [replace(guard, tests=(arguments.tests,)) for guard in guards]
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copies = [_copy_to(Path(folder) / str(number)) for number in range(arguments.jobs)]
        tests = sorted({path for guard in guards for path in guard.tests})
        unbroken = _run(copies[0], tests, UNBROKEN_LIMIT_S)
        print(f"unbroken: {unbroken.by or 'all tests pass'} ({unbroken.seconds:.0f} s)", flush=True)
        if unbroken.by:  # if tests fail without an edit, every mutant would seem to be noticed
            return 1
        survivors = _count_survivors(guards, copies, unbroken.seconds + HANG_S)
    print(f"{len(guards) - survivors} of {len(guards)} broken guards were noticed")
    return 1 if survivors else 0


def _count_survivors(guards: Sequence[Guard], copies: Sequence[Path], limit_s: float) -> int:
    """Break each guard in a free copy, print the verdicts in order, and return the number of survivors."""
    free: SimpleQueue[Path] = SimpleQueue()
    for copy in copies:
        free.put(copy)

    def break_guard(guard: Guard) -> Verdict:
        copy = free.get()
        try:
            return _try(guard, copy, limit_s)
        finally:
            free.put(copy)

    with ThreadPoolExecutor(len(copies)) as jobs:
        verdicts = jobs.map(break_guard, guards)
        return sum(
            not _print_verdict(guard, verdict)
            for guard, verdict in zip(guards, verdicts, strict=True)
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Break each guard and see that a test notices.")
    parser.add_argument("words", nargs="*", metavar="WORD")
    parser.add_argument("--tests", metavar="PATH")
    parser.add_argument("--jobs", metavar="N", type=int, default=1)
    return parser.parse_args()


def _is_selected(guard: Guard, words: Sequence[str]) -> bool:
    return not words or any(word in guard.name for word in words)


def _copy_to(folder: Path) -> Path:
    folder.mkdir()
    ignored = shutil.ignore_patterns("__pycache__", ".*_cache", "chaos")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=ignored)
        else:
            shutil.copy(source, folder / name)
    return folder


def _try(guard: Guard, copy: Path, limit_s: float) -> Verdict:
    file = copy / guard.file
    text = file.read_text("utf-8")
    if text.count(guard.old) != 1:
        return Verdict(False, f"the edit fits {text.count(guard.old)} places in {guard.file}")
    file.write_text(text.replace(guard.old, guard.new), "utf-8")
    try:
        return _run(copy, guard.tests, limit_s)
    finally:
        file.write_text(text, "utf-8")


def _run(copy: Path, tests: Sequence[str], limit_s: float) -> Verdict:
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    environment = {
        **os.environ,
        "PYTHONPATH": str(copy / "functions"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    started = time.monotonic()
    try:
        done = subprocess.run(  # noqa: S603  (pytest on paths of our own)
            command,
            cwd=copy,
            env=environment,
            capture_output=True,
            text=True,
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Verdict(True, f"no end within {limit_s:.0f} s", limit_s)
    seconds = time.monotonic() - started
    if done.returncode == 0:
        return Verdict(False, "", seconds)
    failed = _FAILED.search(done.stdout)
    if done.returncode != TESTS_FAILED or failed is None:
        return Verdict(False, f"no test was run: {done.stdout[-300:]}{done.stderr[-300:]}", seconds)
    return Verdict(True, failed[1], seconds)


def _print_verdict(guard: Guard, verdict: Verdict) -> bool:
    noticed = verdict.by if verdict.killed else f"NOT NOTICED {verdict.by}"
    print(f"{guard.name:<66} {verdict.seconds:4.0f} s  {noticed}", flush=True)
    if not verdict.killed:
        print(f"{'':<66}         breaks: {guard.sentence}", flush=True)
    return verdict.killed


if __name__ == "__main__":
    sys.exit(main())
