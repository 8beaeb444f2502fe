"""Runs the programs of a benchmark in turn, and gathers the figures that they print."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.performance.frame.adapters import from_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

ROOT = Path(__file__).parents[3]
OURS = (sys.executable,)
PEERS = (str(ROOT / ".venv-bench/bin/python"),)
LONGEST_S = 600.0

Sample = tuple[str, str, str, list[float]]
"""Row, contestant, unit and rounds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One program with its arguments, and how its output is read."""

    module: str
    arguments: tuple[str, ...] = ()
    quick: tuple[str, ...] = ()
    """More arguments for a run that only shows that everything runs. The last of two equal options counts."""
    python: tuple[str, ...] = OURS
    read: Callable[[str], Iterable[Sample]] = from_lines
    in_quick: bool = True
    """It runs in a quick run too."""
    once: bool = False
    """It makes its rounds itself, and runs only once."""

    @property
    def exists(self) -> bool:
        path = ROOT / self.module.replace(".", "/")
        return path.with_suffix(".py").exists() or self.module.startswith("paydispatch")

    def run(self, environment: Mapping[str, str], *, quick: bool) -> Iterable[Sample]:
        arguments = (*self.arguments, *(self.quick if quick else ()))
        ended = subprocess.run(
            (*self.python, "-m", self.module, *arguments),
            cwd=ROOT,
            env=dict(environment),
            capture_output=True,
            check=False,  # its last lines are told below
            text=True,
            timeout=LONGEST_S,
        )
        if ended.returncode:
            raise RuntimeError(f"{self.module} {' '.join(arguments)}:\n{ended.stderr[-2000:]}")
        return self.read(ended.stdout)


@dataclass(slots=True)
class Contestant:
    """The rounds of one figure."""

    unit: str
    rounds: list[float]


Figures = dict[str, dict[str, Contestant]]
"""Row → contestant."""


def run_groups(
    groups: Sequence[Sequence[Program]],
    environment: Mapping[str, str],
    *,
    rounds: int,
    quick: bool,
    tell: Callable[[str], None],
    save: Callable[[Figures], None],
) -> Figures:
    """Run the programs of each group in turn, so many times. `save` gets the figures after each program."""
    figures: Figures = defaultdict(dict)
    for group in groups:
        wanted = [program for program in group if program.in_quick or not quick]
        present = [program for program in wanted if program.exists]
        for program in wanted:
            if program not in present:
                tell(f"skipped: {program.module} is not there")
        for number in range(rounds):
            for program in present:
                if number and program.once:
                    continue
                tell(f"round {number + 1}: {program.module} {' '.join(program.arguments)}")
                for row, name, unit, values in program.run(environment, quick=quick):
                    contestant = figures[row].setdefault(name, Contestant(unit, []))
                    contestant.rounds += values
                save(figures)
    return figures


def as_json(figures: Figures) -> list[dict[str, Any]]:
    return [
        {"row": row, "figure": name, "unit": each.unit, "rounds": each.rounds}
        for row, contestants in figures.items()
        for name, each in contestants.items()
    ]


def from_json(lines: Iterable[Mapping[str, Any]]) -> Figures:
    figures: Figures = defaultdict(dict)
    for line in lines:
        figures[line["row"]][line["figure"]] = Contestant(line["unit"], list(line["rounds"]))
    return figures


def merge(earlier: Figures, later: Figures) -> Figures:
    """Return all contestants of both. Those of the later run replace their earlier figures."""
    return {row: earlier.get(row, {}) | later.get(row, {}) for row in {**earlier, **later}}


def load(path: Path) -> Figures:
    return from_json(json.loads(path.read_text("utf-8"))["figures"])
