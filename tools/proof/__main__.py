"""Proves without AWS what can be proved without it, part by part, with the time of each.

    make proof                      every part
    make proof PROOF='sam bandit'   the parts with one of these words in their name

It ends with 1 if a part failed. A part that this machine cannot run is named with its reason, and is no success.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from parts import parts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from parts import Part

ROOT = Path(__file__).resolve().parents[2]
ONLY_AWS = (
    "whether IAM grants what the template asks for",
    "the event source mappings, API Gateway and the alarms as AWS runs them",
    "a real restore of a snapshot, and its time",
    "ElastiCache and MemoryDB with their own TLS certificates",
)
"""Also deployed nowhere by this program. docs/proof.md has the list with its reasons."""


@dataclass(frozen=True, slots=True)
class Result:
    """How a part ended. `skipped` has the reason why it did not run."""

    name: str
    seconds: float
    passed: bool
    skipped: str | None = None

    def __str__(self) -> str:
        if self.skipped:
            return f"  skipped          {self.name}: {self.skipped}"
        return f"  {'passed' if self.passed else 'FAILED'}  {self.seconds:6.1f} s  {self.name}"


def run(part: Part) -> Result:
    """Run one part with its output shown."""
    if reason := part.obstacle():
        return Result(part.name, 0.0, passed=False, skipped=reason)
    print(f"\n== {part.name}: {' '.join(part.command)}", flush=True)
    began = time.monotonic()
    done = subprocess.run(part.command, cwd=ROOT, check=False)
    return Result(part.name, time.monotonic() - began, passed=done.returncode == 0)


def report(results: Sequence[Result]) -> str:
    """Return a line for each part, the sum of the times, and what no part proves."""
    lines = [str(result) for result in results]
    total = sum(result.seconds for result in results)
    left = [f"  only AWS shows   {line}" for line in ONLY_AWS]
    return "\n".join(["", *lines, f"  together {total:6.1f} s", *left])


def main() -> int:
    options = _options()
    chosen = [part for part in parts(options.uv) if _is_wanted(part, options.words)]
    if not chosen:
        print(f"proof: no part has one of the words {options.words}", file=sys.stderr)
        return 2
    results = [run(part) for part in chosen]
    print(report(results))
    return 0 if all(result.passed or result.skipped for result in results) else 1


def _is_wanted(part: Part, words: Sequence[str]) -> bool:
    return not words or any(word.lower() in part.name.lower() for word in words)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Prove without AWS what can be proved without it.")
    parser.add_argument(
        "words", nargs="*", help="run the parts with one of these words (default: all)"
    )
    parser.add_argument("--uv", default="uv", help="the uv command (default: uv)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
