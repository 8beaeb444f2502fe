"""Measure the cost of more work: the CPU per request of each part, and its memory, as one quantity grows.

    python -m tests.performance.growth [--only NAME ...] [--short] [--json FILE] [--docs FOLDER] [--load FILE]

`rounds` sends the same requests again and again through one local stack, with a twin that answers at once. `contexts`,
`workers` and `payload` send one number of requests in 1 to 2,000 contexts, for 1 to 2,000 workers, and with bodies of
0.5 to 200 KB. `dispatches` sends 1,000 to 50,000 requests from one process to a stub of SQS, and `calls` makes 1,000 to
1,000,000 calls into a queue in memory. `flows` runs 10,000 flows in 100 to 10,000 contexts. `--short`
takes few and small sizes. CPU is the cost of a request, because the time of the wall depends on the machine's other
work. Prints figures and judges nothing. `--docs` writes them into benchmarks.md with their pictures, each between its
own markers, and `--load` takes those of an earlier run.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.performance.control_back import create
from tests.performance.flows import ROOT, Case, FlowStage, measure_drain
from tests.performance.frame.in_memory import delivery_into_memory
from tests.performance.frame.machine import describe_machine
from tests.performance.frame.page import PAGE, PICTURES, machine_line, replace_between
from tests.performance.frame.processes import Usage, cpu_between, usage_by_part, usage_of
from tests.performance.frame.servers import shared_servers
from tests.performance.simulated.plots import Chart, Line
from tests.performance.whole_path import FLUSH_EVERY, Load, run_requests, write_flows

from paydispatch import Dispatcher
from paydispatch.local.settings import LocalSettings, local_aws
from paydispatch.local.stack import LocalStack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

PRODUCER = "producer"
BATCH_SIZE = 20
"""Small, so that a batch of large bodies ends within the function's timeout on a slow machine, and is not repeated."""
SHOWN_US = 100
"""A part that needs less than this per request is not in the tables."""
TITLES = {
    "rounds": "The same requests again and again",
    "contexts": "More contexts",
    "workers": "More workers",
    "payload": "Larger bodies, in KB",
    "dispatches": "More dispatches from one process",
    "calls": "More calls, into a queue in memory",
    "flows": "The same flows in more contexts",
}
WARM_REQUESTS = 200


@dataclass(frozen=True, slots=True)
class Point:
    """One size, with the CPU of each part per request and its memory afterwards."""

    size: float
    requests: int
    per_s: float
    cpu_us: Mapping[str, float]
    memory_mb: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Growth:
    name: str
    grows: str
    points: list[Point] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        points = [
            {
                "size": point.size,
                "requests": point.requests,
                "per_s": point.per_s,
                "cpu_us": dict(point.cpu_us),
                "memory_mb": dict(point.memory_mb),
            }
            for point in self.points
        ]
        return {"growth": self.name, "grows": self.grows, "points": points}

    @classmethod
    def from_json(cls, read: Mapping[str, Any]) -> Growth:
        return cls(read["growth"], read["grows"], [Point(**point) for point in read["points"]])


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The sizes of a run."""

    rounds: int = 5
    requests: int = 2_000
    spread: Sequence[int] = (1, 100, 2_000)
    payload_kb: Sequence[float] = (0.5, 20, 200)
    dispatches: Sequence[int] = (1_000, 10_000, 50_000)
    calls: Sequence[int] = (1_000, 10_000, 100_000, 1_000_000)
    flows: int = 10_000
    flow_contexts: Sequence[int] = (100, 1_000, 10_000)


SHORT = Plan(
    rounds=2,
    requests=300,
    spread=(1, 300),
    payload_kb=(0.5, 20),
    dispatches=(1_000, 10_000),
    calls=(1_000, 10_000),
    flows=1_000,
    flow_contexts=(100, 1_000),
)


def of_rounds(plan: Plan) -> Growth:
    growth = Growth("rounds", "requests before")
    with _stack() as stack:
        for number in range(plan.rounds):
            growth.points.append(_measure(stack, number * plan.requests, Load(plan.requests)))
    return growth


def of_contexts(plan: Plan) -> Growth:
    return _over("contexts", plan.spread, lambda size: Load(plan.requests, contexts=int(size)))


def of_workers(plan: Plan) -> Growth:
    return _over("workers", plan.spread, lambda size: Load(plan.requests, workers=int(size)))


def of_payload(plan: Plan) -> Growth:
    requests = plan.requests // 10
    return _over("payload", plan.payload_kb, lambda size: Load(requests, body_kb=size))


def of_dispatches(plan: Plan) -> Growth:
    growth = Growth("dispatches", "requests")
    with shared_servers() as environment:
        url = environment["BENCH_AWS_URL"]
        os.environ.update(local_aws(url))
        os.environ.update(REQUEST_QUEUE_URL=f"{url}/queue", SEALING_KEY_ID="key")
        with Dispatcher.from_env() as dispatcher:
            _dispatch(dispatcher, WARM_REQUESTS)
            for size in plan.dispatches:
                growth.points.append(_measure_dispatches(dispatcher, size))
    return growth


def of_calls(plan: Plan) -> Growth:
    growth = Growth("calls", "calls")
    with Dispatcher(delivery_into_memory()) as dispatcher:
        _dispatch(dispatcher, WARM_REQUESTS)
        for size in plan.calls:
            growth.points.append(_measure_dispatches(dispatcher, size))
    return growth


def of_flows(plan: Plan) -> Growth:
    growth = Growth("flows", "contexts")
    for size in plan.flow_contexts:
        case = Case(script="async", contexts=size)
        with (
            tempfile.TemporaryDirectory(prefix="growth-") as folder,
            closing(FlowStage(Path(folder))) as stage,
        ):
            drained = measure_drain(stage, ROOT, case, plan.flows)
        cpu_s = {
            "worker": plan.flows / drained["per_core_s"],
            "valkey": plan.flows * drained["valkey_us"] / 1e6,
        }
        wall_s = plan.flows / drained["per_s"]
        growth.points.append(_point(size, plan.flows, wall_s, cpu_s, {}))
    return growth


SCENARIOS: dict[str, Callable[[Plan], Growth]] = {
    "rounds": of_rounds,
    "contexts": of_contexts,
    "workers": of_workers,
    "payload": of_payload,
    "dispatches": of_dispatches,
    "calls": of_calls,
    "flows": of_flows,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=list(SCENARIOS), help="run only these")
    parser.add_argument("--short", action="store_true", help="small sizes, to show that it runs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.add_argument("--docs", type=Path, metavar="FOLDER", help="write benchmarks.md there")
    parser.add_argument("--load", type=Path, metavar="FILE", help="take the figures of a JSON file")
    arguments = parser.parse_args()
    if arguments.load:
        read = json.loads(arguments.load.read_text("utf-8"))
        machine, made = read["machine"], [Growth.from_json(growth) for growth in read["growth"]]
    else:
        machine, made = describe_machine(), _measure_all(arguments)
    if arguments.json:
        figures = [growth.as_json() for growth in made]
        text = json.dumps({"machine": machine, "growth": figures}, indent=1)
        arguments.json.write_text(text, "utf-8")
    if arguments.docs:
        write_growth(arguments.docs, made, machine)
    return 0


def _measure_all(arguments: argparse.Namespace) -> list[Growth]:
    made = []
    for name in arguments.only or SCENARIOS:
        growth = SCENARIOS[name](SHORT if arguments.short else Plan())
        print(as_text(growth), flush=True)
        made.append(growth)
    return made


def _over(name: str, sizes: Sequence[float], load: Callable[[float], Load]) -> Growth:
    """Measure each size in a stack of its own, because an old stack is another quantity."""
    growth = Growth(name, name)
    for size in sizes:
        with _stack() as stack:
            growth.points.append(_measure(stack, size, load(size)))
    return growth


@contextmanager
def _stack() -> Iterator[LocalStack]:
    """Run a local stack with flows that do nothing, after some requests that load and connect everything."""
    with tempfile.TemporaryDirectory() as folder:
        write_flows(Path(folder))
        settings = LocalSettings(flows=Path(folder), lenient=True, batch_size=BATCH_SIZE)
        with LocalStack(settings) as stack:
            os.environ.update(stack.environment())
            run_requests(stack, Load(WARM_REQUESTS))
            yield stack


def _measure(stack: LocalStack, size: float, load: Load) -> Point:
    before, own_s = usage_by_part(stack.pids), time.process_time()
    wall_s = run_requests(stack, load)
    after, own_s = usage_by_part(stack.pids), time.process_time() - own_s
    parts = {**cpu_between(before, after), PRODUCER: own_s}
    memory = {part: usage.memory_mb for part, usage in after.items()}
    return _point(size, load.requests, wall_s, parts, memory)


def _measure_dispatches(dispatcher: Dispatcher, size: int) -> Point:
    cpu_s, began = time.process_time(), time.perf_counter()
    _dispatch(dispatcher, size)
    wall_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu_s
    memory: Usage = usage_of(os.getpid())
    return _point(size, size, wall_s, {PRODUCER: cpu_s}, {PRODUCER: memory.memory_mb})


def _dispatch(dispatcher: Dispatcher, requests: int) -> None:
    for first in range(0, requests, FLUSH_EVERY):
        for number in range(first, min(first + FLUSH_EVERY, requests)):
            create(number)
        dispatcher.flush()


def _point(
    size: float,
    requests: int,
    wall_s: float,
    cpu_s: Mapping[str, float],
    memory_mb: Mapping[str, float],
) -> Point:
    each_us = {part: round(seconds / requests * 1e6, 1) for part, seconds in cpu_s.items()}
    memory = {part: round(megabytes, 1) for part, megabytes in memory_mb.items()}
    return Point(size, requests, round(requests / wall_s, 1), each_us, memory)


def as_text(growth: Growth) -> str:
    parts = growth.points[0].cpu_us
    lines = [f"\n{growth.name}: CPU per request in µs (and memory in MB) of each part"]
    lines.append(f"{growth.grows:>16}" + "".join(f"{part:>22}" for part in parts))
    lines += [
        f"{point.size:>16,g}" + "".join(f"{cell:>22}" for cell in _cells(point, parts))
        for point in growth.points
    ]
    return "\n".join(lines)


def _cells(point: Point, parts: Iterable[str]) -> Iterator[str]:
    for part in parts:
        memory = point.memory_mb.get(part)
        yield f"{point.cpu_us[part]:,.0f}" + (f" ({memory:,.0f})" if memory else "")


def write_growth(docs: Path, made: Sequence[Growth], machine: Mapping[str, Any]) -> None:
    """Write each table between its markers in benchmarks.md, and a picture for each."""
    for growth in made:
        picture = f"{PICTURES}/growth-{growth.name}.svg"
        (docs / picture).parent.mkdir(parents=True, exist_ok=True)
        (docs / picture).write_text(_chart(growth).as_svg(), "utf-8")
        body = f"{_table(growth)}\n\n![CPU per request]({picture})\n\n{machine_line(machine)}"
        replace_between(docs / PAGE, *markers(growth.name), body)


def markers(name: str) -> tuple[str, str]:
    """Return the two lines between which the page has the growth of this name."""
    return f"<!-- growth of {name}: begin -->", f"<!-- growth of {name}: end -->"


def _table(growth: Growth) -> str:
    used = _used_parts(growth)
    head = f"| {growth.grows} | {' | '.join(used)} |"
    rows = [f"| {point.size:,g} | {' | '.join(_cells(point, used))} |" for point in growth.points]
    title = f"### {TITLES[growth.name]}\n\nCPU per request in µs, and in brackets the memory in MB afterwards."
    return "\n".join((title, "", head, "|---" * (len(used) + 1) + "|", *rows))


def _used_parts(growth: Growth) -> list[str]:
    first, last = growth.points[0].cpu_us, growth.points[-1].cpu_us
    return [part for part in first if max(first[part], last[part]) >= SHOWN_US]


def _chart(growth: Growth) -> Chart:
    """Draw the CPU of each part against the place of its point, because the sizes grow by factors."""
    sizes = ", ".join(f"{point.size:,g}" for point in growth.points)
    lines = tuple(
        Line(part, [(place, point.cpu_us[part]) for place, point in enumerate(growth.points)])
        for part in _used_parts(growth)
    )
    return Chart(f"CPU per request, {growth.grows}: {sizes}", "step", "µs", lines)


if __name__ == "__main__":
    sys.exit(main())
