"""Proves without AWS what can be proved without it, part by part, with the wall time and the processor time of each.

    make proof                      every part
    make proof PROOF='sam bandit'   the parts with one of these words in their name

It ends with 1 if a part failed. A part that this machine cannot run is named with its reason, and is no success. Where
other programs keep the machine busy, only the processor time can be compared, so the load is printed too.
"""

from __future__ import annotations

import argparse
import os
import resource
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
    "whether IAM and the policies of queues and key grant what the template asks for, and no more",
    "the sign-in with IAM at API Gateway, its limits, and the alarms",
    "how Lambda scales the event source mappings, and a real restore of a snapshot with its time",
    "the network, ElastiCache and MemoryDB with their own TLS certificates and failovers",
)


@dataclass(frozen=True, slots=True)
class Result:
    """How a part ended. `skipped` has the reason why it did not run."""

    name: str
    passed: bool
    wall_s: float = 0.0
    processor_s: float = 0.0
    skipped: str | None = None

    def __str__(self) -> str:
        if self.skipped:
            return f"  skipped                      {self.name}: {self.skipped}"
        return f"  {'passed' if self.passed else 'FAILED'}  {times(self.wall_s, self.processor_s)}  {self.name}"


def times(wall_s: float, processor_s: float) -> str:
    return f"{wall_s:6.1f} s, cpu {processor_s:6.1f} s"


def run(part: Part) -> Result:
    """Run one part with its output shown."""
    if reason := part.obstacle():
        return Result(part.name, passed=False, skipped=reason)
    print(f"\n== {part.name}: {' '.join(part.command)}", flush=True)
    began, processor = time.monotonic(), processor_s()
    done = subprocess.run(part.command, cwd=ROOT, check=False)
    return Result(
        part.name, done.returncode == 0, time.monotonic() - began, processor_s() - processor
    )


def processor_s() -> float:
    """Return the processor time of the parts so far. A server that a part left to the reaper is not in it."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def report(results: Sequence[Result]) -> str:
    """Return a line for each part, the sums, the load of the machine, and what no part proves."""
    lines = [str(result) for result in results]
    wall_s = sum(result.wall_s for result in results)
    together = times(wall_s, sum(result.processor_s for result in results))
    load = f"  together {together}; load {os.getloadavg()[2]:.1f} on {os.cpu_count()} cores"
    left = [f"  only AWS shows   {line}" for line in ONLY_AWS]
    return "\n".join(["", *lines, load, *left])


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
