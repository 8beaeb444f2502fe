"""Compare the cold starts of two checkouts: the init of each built function and its first answer.

    git worktree add /tmp/before COMMIT
    python tests/performance/cold_start.py /tmp/before . [--starts 9] [--function ApiFunction] [--json]

Builds the functions of both with their own tools, and starts them in turns under AWS's runtime interface emulator, one
process at a time, on the local stack of this checkout. Prints medians in milliseconds, the ratio of the second checkout
to the first, and the sizes of the zips. `cpu` is the CPU time of the function's process up to its first answer, which
other work on the machine changes less than `init` and `answer`. It judges nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "lambdas"))

from backing import local_stack  # noqa: E402
from emulator import BuiltFunction, EmulatedFunction, Runtime  # noqa: E402
from run_event import DEFAULT_EVENTS, as_if_sent_now  # noqa: E402

UV = str(ROOT / ".tools" / "bin" / "uv")
FIGURES = ("init", "answer", "cpu")
TWO = 2

BUILD = """
import json, sys
from pathlib import Path
from run_event import build_for_host, prepare_runtime, variables_of
from stack_template import load
template, runtime = load(), prepare_runtime(Path(), sys.argv[1])
built = [build_for_host(name, template, runtime.python, sys.argv[1]) for name in sys.argv[2:]]
print(json.dumps({
    "python": runtime.python,
    "libraries": str(runtime.libraries),
    "functions": [
        [f.name, f.handler, f.timeout_s, f.memory_mb, str(f.directory), variables_of(f, template, {})]
        for f in built
    ],
}))
"""


@dataclass(frozen=True, slots=True)
class Built:
    """A function of one checkout."""

    function: BuiltFunction
    runtime: Runtime
    variables: dict[str, str]

    @property
    def zip_mb(self) -> float:
        """The size of its content in a zip. It is that for this machine, whose wheels differ from those for arm64."""
        root = self.function.directory
        with (
            tempfile.TemporaryFile() as file,
            zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed,
        ):
            for path in sorted(root.rglob("*")):
                if path.is_file():
                    packed.writestr(str(path.relative_to(root)), path.read_bytes())
            packed.close()
            return file.seek(0, os.SEEK_END) / 1e6


def build(checkout: Path, names: list[str], emulator: Path) -> dict[str, Built]:
    """Build the functions of a checkout with its own tools."""
    paths = f"{checkout / 'tools' / 'lambdas'}:{checkout / 'functions'}"
    run = subprocess.run(
        [sys.executable, "-c", BUILD, UV, *names],
        check=True, text=True, stdout=subprocess.PIPE, cwd=checkout, env={**os.environ, "PYTHONPATH": paths},
    )  # fmt: skip
    made = json.loads(run.stdout.splitlines()[-1])
    runtime = Runtime(emulator, made["python"], Path(made["libraries"]))
    return {
        name: Built(BuiltFunction(name, *rest, Path(directory)), runtime, variables)
        for name, *rest, directory, variables in made["functions"]
    }


def start_once(built: Built, services: dict[str, str]) -> dict[str, float]:
    """Start the function, send it its example event, and end it."""
    event = json.loads(
        (ROOT / "tests" / "events" / DEFAULT_EVENTS[built.function.name]).read_text()
    )
    with EmulatedFunction(built.function, built.runtime, built.variables | services) as running:
        answer = running.invoke(as_if_sent_now(event))
        if answer.failed or running.init_ms is None:
            raise SystemExit(f"{built.function.name} failed: {answer.body}")
        cpu_ms = sum(cpu_of(pid) for pid in descendants(running.pid) if is_python(pid)) * 1000
        return {"init": running.init_ms, "answer": answer.duration_ms, "cpu": cpu_ms}


def descendants(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task").glob("*/children")
    found = [int(child) for file in children for child in file.read_text().split()]
    return found + [below for child in found for below in descendants(child)]


def is_python(pid: int) -> bool:
    return b"awslambdaric" in Path(f"/proc/{pid}/cmdline").read_bytes()


def cpu_of(pid: int) -> float:
    """Return the CPU seconds of a process: `utime` and `stime`, after the name in brackets."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def compare(checkouts: list[Path], names: list[str], starts: int) -> dict[str, Any]:
    emulator = ROOT / subprocess.run(
        ["make", "--silent", "emulator", f"UV={UV}"],
        cwd=ROOT, check=True, text=True, stdout=subprocess.PIPE,
    ).stdout.split()[-1]  # fmt: skip
    sides = [build(checkout, names, emulator) for checkout in checkouts]
    runs: dict[str, list[list[dict[str, float]]]] = {name: [[] for _ in sides] for name in names}
    with local_stack() as services:
        for _ in range(starts):
            for name in names:
                for number, side in enumerate(sides):
                    runs[name][number].append(start_once(side[name], services))
    return {name: _figures(runs[name], [side[name].zip_mb for side in sides]) for name in names}


def _figures(runs: list[list[dict[str, float]]], zips_mb: list[float]) -> dict[str, Any]:
    medians = {
        figure: [round(statistics.median(run[figure] for run in side), 1) for side in runs]
        for figure in FIGURES
    } | {"zip_mb": [round(size, 2) for size in zips_mb]}
    return {
        figure: {"before": before, "after": after, "ratio": round(after / before, 3)}
        for figure, (before, after) in medians.items()
    }


def _table(figures: dict[str, Any]) -> str:
    lines = [f"{'function':22}{'figure':8}{'before':>9}{'after':>9}{'ratio':>8}"]
    lines += [
        f"{name:22}{figure:8}{row['before']:9.1f}{row['after']:9.1f}{row['ratio']:8.2f}"
        for name, rows in figures.items()
        for figure, row in rows.items()
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("checkouts", nargs=TWO, type=Path, help="before and after")
    parser.add_argument("--starts", type=int, default=9, help="of each function (default: 9)")
    parser.add_argument("--function", choices=tuple(DEFAULT_EVENTS), help="only this one")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    names = [options.function] if options.function else list(DEFAULT_EVENTS)
    figures = compare([path.resolve() for path in options.checkouts], names, options.starts)
    print(json.dumps(figures, indent=2) if options.json else _table(figures))


if __name__ == "__main__":
    main()
