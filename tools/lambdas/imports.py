"""Shows how long each function's imports take: the modules with the longest loads, and what each package takes itself.

    make imports RUN_OPTIONS='--runs 9 --top 20 --json' FUNCTION=ApiFunction

It builds the functions as for a zip, and starts each several times with the Python and the libraries of the runtime.
Times are medians in milliseconds under `-X importtime`, which itself takes about a third more than a plain start.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from build_function import ROOT
from run_event import DEFAULT_EVENTS, build_for_host, prepare_runtime, variables_of
from stack_template import load

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from emulator import BuiltFunction, Runtime

NOWHERE = {
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_SECRET_ACCESS_KEY": "none",
    "BATCH_QUEUE_URL": "http://127.0.0.1:1/batch",
    "DEAD_LETTER_QUEUE_URL": "http://127.0.0.1:1/dead",
    "DOORBELL_QUEUE_URL": "http://127.0.0.1:1/doorbells",
    "QUEUE_TENANT": "local",
    "REDIS_URL": "redis://127.0.0.1:1",
    "REQUEST_QUEUE_URL": "http://127.0.0.1:1/queue",
    "SEALING_KEY_ID": "none",
}
"""Settings of a stack that does not exist. A start connects to nothing."""

_LINE = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \|\s+(\S+)")
_BEGIN = "the runtime's own imports end here"
_PROGRAM = "import sys, awslambdaric.bootstrap; print({begin!r}, file=sys.stderr); import {module}"


@dataclass(frozen=True, slots=True)
class Load:
    """The load of one module."""

    name: str
    self_ms: float
    cumulative_ms: float


@dataclass(frozen=True, slots=True)
class Start:
    """The loads of one function."""

    function: str
    modules: int
    total_ms: float
    packages: Sequence[tuple[str, float]]
    """The time of each top-level package without what it loads from others, longest first."""
    longest: Sequence[Load]
    """The modules whose loads take longest, with everything that they load."""


def loads_in(output: str) -> dict[str, Load]:
    """Return the loads after the runtime's own, by the name of the module, from the output of `-X importtime`."""
    lines = _LINE.finditer(output.partition(_BEGIN)[2])
    return {
        name: Load(name, int(own) / 1000, int(all_) / 1000)
        for own, all_, name in (m.groups() for m in lines)
    }


def summarize(function: str, starts: Sequence[Mapping[str, Load]], top: int) -> Start:
    """Return the medians of several starts."""
    names = starts[0].keys()
    loads = [_median([start[name] for start in starts if name in start]) for name in names]
    by_package: dict[str, float] = defaultdict(float)
    for each in loads:
        by_package[each.name.partition(".")[0]] += each.self_ms
    return Start(
        function,
        len(loads),
        round(statistics.median(_total(start.values()) for start in starts), 1),
        [(name, round(ms, 1)) for name, ms in _longest(by_package.items(), top)],
        sorted(loads, key=lambda each: -each.cumulative_ms)[:top],
    )


def _longest(times: Iterable[tuple[str, float]], top: int) -> list[tuple[str, float]]:
    return sorted(times, key=lambda pair: -pair[1])[:top]


def _total(loads: Iterable[Load]) -> float:
    return sum(each.self_ms for each in loads)


def _median(loads: Sequence[Load]) -> Load:
    own = statistics.median(each.self_ms for each in loads)
    cumulative = statistics.median(each.cumulative_ms for each in loads)
    return Load(loads[0].name, round(own, 1), round(cumulative, 1))


def start_once(function: BuiltFunction, runtime: Runtime, environment: Mapping[str, str]) -> str:
    """Start the function in a new process, and return what `-X importtime` printed."""
    module = function.handler.rpartition(".")[0]
    program = _PROGRAM.format(begin=_BEGIN, module=module)
    run = subprocess.run(
        [runtime.python, "-S", "-X", "importtime", "-c", program],
        check=False, text=True, capture_output=True, cwd=function.directory,
        env={
            "PYTHONPATH": f"{function.directory}:{runtime.libraries}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "LAMBDA_TASK_ROOT": str(function.directory),
            **environment,
        },
    )  # fmt: skip
    if run.returncode:
        raise SystemExit(f"{function.name} does not start:\n{run.stderr.splitlines()[-1]}")
    return run.stderr


def show(start: Start) -> None:
    print(f"\n{start.function}: {start.modules} modules, {start.total_ms:.0f} ms")
    print("  package itself      " + "  ".join(f"{name} {ms:g}" for name, ms in start.packages))
    print("  cumulative    self  module")
    for each in start.longest:
        print(f"  {each.cumulative_ms:10.1f} {each.self_ms:7.1f}  {each.name}")


def main() -> None:
    options = _options()
    template = load()
    runtime = prepare_runtime(Path(), options.uv)
    names = [options.function] if options.function else list(DEFAULT_EVENTS)
    built = [build_for_host(name, template, runtime.python, options.uv) for name in names]
    starts: dict[str, list[dict[str, Load]]] = {name: [] for name in names}
    for _ in range(options.runs):
        for function in built:
            environment = variables_of(function, template, NOWHERE)
            starts[function.name].append(loads_in(start_once(function, runtime, environment)))
    summaries = [summarize(name, runs, options.top) for name, runs in starts.items()]
    if options.json:
        json.dump([asdict(summary) for summary in summaries], sys.stdout, indent=2)
    else:
        for summary in summaries:
            show(summary)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Show how long each function's imports take.")
    parser.add_argument(
        "function", nargs="?", choices=tuple(DEFAULT_EVENTS), help="function (default: all)"
    )
    parser.add_argument("--runs", type=int, default=5, help="starts per function (default: 5)")
    parser.add_argument("--top", type=int, default=15, help="modules to show (default: 15)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--uv", default=str(ROOT / ".tools/bin/uv"), help="the uv command")
    return parser.parse_args()


if __name__ == "__main__":
    main()
