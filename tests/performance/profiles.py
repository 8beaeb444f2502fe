"""Profile the programs of the rows that are far from their reach, and write the shares into docs/profiles.md.

    python -m tests.performance.profiles [--only NAME ...] [--docs FOLDER]

py-spy, from `.venv-bench`, samples each program and its child processes 250 times a second. A sample belongs to the
part of its innermost frame that has one. Threads that wait and modules that load are left out. `burst` times calls of
`create_async` by their place after a pause. Prints tables and judges nothing.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.performance.frame.machine import describe_machine
from tests.performance.frame.page import machine_line, replace_between
from tests.performance.frame.programs import OURS, ROOT
from tests.performance.frame.servers import shared_servers
from tests.performance.profiling.programs import PROFILED, WAITING, Profiled
from tests.performance.profiling.stacks import of_requests, read_stacks, share

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PAGE = "profiles.md"
PY_SPY = ROOT / ".venv-bench/bin/py-spy"
SAMPLING = ("record", "--format", "raw", "--full-filenames", "--subprocesses", "--nonblocking")
RATE_PER_S = "250"
BURST = "tests.performance.profiling.burst"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    tables: dict[str, Callable[[Mapping[str, str]], str]] = {
        "burst": time_burst,
        **{profiled.name: _profiler(profiled) for profiled in PROFILED},
    }
    parser.add_argument("--only", nargs="+", choices=list(tables), help="make only these")
    parser.add_argument("--docs", type=Path, metavar="FOLDER", help="write profiles.md there")
    arguments = parser.parse_args()
    with shared_servers() as environment:
        for name in arguments.only or tables:
            machine = describe_machine()
            table = tables[name](environment)
            print(f"\n{name}\n{table}", flush=True)
            if arguments.docs:
                begin, end = markers(name)
                body = f"{machine_line(machine)}\n\n{table}"
                replace_between(arguments.docs / PAGE, begin, end, body)
    return 0


def markers(name: str) -> tuple[str, str]:
    """Return the two lines between which the page has the table of this name."""
    return f"<!-- {name}: begin -->", f"<!-- {name}: end -->"


def time_burst(environment: Mapping[str, str]) -> str:
    """Return the table that the program `burst` prints."""
    ran = subprocess.run(
        (*OURS, "-m", BURST), cwd=ROOT, env=dict(environment), check=True, stdout=subprocess.PIPE, text=True
    )  # fmt: skip
    return ran.stdout.strip()


def _profiler(profiled: Profiled) -> Callable[[Mapping[str, str]], str]:
    return lambda environment: profile(profiled, environment)


def profile(profiled: Profiled, environment: Mapping[str, str]) -> str:
    """Sample the program while it runs. Return the table of its parts."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "stacks"
        command = (
            *(str(PY_SPY), *SAMPLING, "--rate", RATE_PER_S, "--output", str(out), "--"),
            *(*OURS, "-m", profiled.module, *profiled.arguments),
        )
        subprocess.run(command, cwd=ROOT, env=dict(environment), check=True, capture_output=True)
        return as_table(profiled, out.read_text("utf-8"))


def as_table(profiled: Profiled, raw: str) -> str:
    """Return the share of each part of the samples, in percent. Raises `SystemExit` if no sample was in a request."""
    working = [
        stack
        for stack in of_requests(read_stacks(raw), profiled.within)
        if not any(text in stack.frames[-1] for text in WAITING.texts)
    ]
    samples = sum(stack.samples for stack in working)
    if not samples:
        raise SystemExit(
            f"{profiled.module} made no request while it was sampled. Does it run alone?"
        )
    rows = (
        f"| {part} | {percent:.0f} |" for part, percent in share(working, profiled.parts).items()
    )
    return "\n".join((f"| part, of {samples:,} samples | % |", "|---|---|", *rows))


if __name__ == "__main__":
    sys.exit(main())
