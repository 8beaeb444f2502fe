"""Run every row of the benchmarks in turn with its peers, print the figures, and write them down.

    python -m tests.performance.bench [--rounds 5] [--quick] [--only TEXT ...] [--docs FOLDER] [--json FILE]

Each row is a program of its own (tests/performance/README.md). The programs of a group take turns, so that a busy
minute of the machine meets all of them. Prints medians with the lowest and the highest round. `--docs` writes
benchmarks.md and its pictures there; `--quick` runs everything small, to show that it runs. It judges nothing: it fails
only if a program fails. With `--only` the other figures stay as the last run measured them.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.performance.frame.machine import describe_machine
from tests.performance.frame.page import as_text, write_page
from tests.performance.frame.programs import ROOT, Figures, as_json, load, merge, run_groups
from tests.performance.frame.rows import GROUPS, ROWS
from tests.performance.frame.servers import shared_servers

if TYPE_CHECKING:
    from collections.abc import Callable

RESULT = ROOT / "build/bench.json"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each program (default: 5)")
    parser.add_argument("--quick", action="store_true", help="one small round of each program")
    parser.add_argument(
        "--only", nargs="+", metavar="TEXT", help="only programs with a text in their name"
    )
    parser.add_argument("--docs", type=Path, metavar="FOLDER", help="write benchmarks.md there")
    parser.add_argument("--json", type=Path, metavar="FILE", default=RESULT)
    arguments = parser.parse_args()
    machine = describe_machine()
    earlier = load(arguments.json) if arguments.only and arguments.json.exists() else {}

    def save(figures: Figures) -> None:
        """Write the figures so far, so that a run that is cut off was not in vain."""
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        made = {"machine": machine, "figures": as_json(merge(earlier, figures))}
        arguments.json.write_text(json.dumps(made, indent=1), "utf-8")

    figures = merge(earlier, _measure(arguments, save))
    print(as_text(ROWS, figures))
    if arguments.docs:
        write_page(arguments.docs, ROWS, figures, machine)
    return 0


def _measure(arguments: argparse.Namespace, save: Callable[[Figures], None]) -> Figures:
    groups = [
        [
            program
            for program in group
            if not arguments.only
            or any(text in f"{program.module} {program.arguments}" for text in arguments.only)
        ]
        for group in GROUPS
    ]
    with shared_servers() as environment:
        return run_groups(
            groups,
            environment,
            rounds=1 if arguments.quick else arguments.rounds,
            quick=arguments.quick,
            tell=lambda line: print(line, file=sys.stderr, flush=True),
            save=save,
        )


if __name__ == "__main__":
    sys.exit(main())
