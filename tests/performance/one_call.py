"""Measure what one call of Stripe costs in the Stripe caller: the processor's time, and the time until it has ended.

    python -m tests.performance.one_call [--before REVISION] [--rounds N] [--calls N] [--json] [--profile FILE]

The whole path of a message is measured, from its body to the status after the publish: log lines on, a real embedded
Valkey, and a stand-in for Stripe in another process that answers after 300 ms. Only SQS and KMS are left out. With
`--before` the caller of that revision runs too, from a worktree of its own, and the rounds of all sides alternate.
Stripe's own library runs beside them: it makes the same POST and nothing else.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paydispatch.local.processes import Supervisor
from paydispatch.local.settings import environment_without_aws, local_aws
from paydispatch.local.stores.valkey import Valkey

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).parents[2]
PROCESSES = ROOT / "tests" / "performance" / "processes"
ANSWER_AFTER_MS = 300
IN_FLIGHT = 100
NOWHERE = "http://127.0.0.1:9"
START_WITHIN_S = 60.0
PEERS = {"stripe-python, httpx": "stripe-httpx", "stripe-python, aiohttp": "stripe-aiohttp"}


class Side:
    """A process that makes calls when it is asked to."""

    def __init__(self, kind: str, checkout: Path, environment: Mapping[str, str]) -> None:
        self.figures: dict[str, list[float]] = {"cpu_us": [], "wall_10_ms": [], "wall_100_ms": []}
        self._process = subprocess.Popen(
            (sys.executable, str(PROCESSES / "one_side.py"), kind),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**environment, "PYTHONPATH": str(checkout / "functions")},
        )

    def run(self, calls: int, in_flight: int, profile: str | None = None) -> dict[str, float]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        asked = {"calls": calls, "in_flight": in_flight, "profile": profile}
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("A side has ended before its figures.")
        figures: dict[str, float] = json.loads(line)
        return figures

    def measure(self, calls: int) -> None:
        """Run one round."""
        many, few = self.run(calls, IN_FLIGHT), self.run(50, 10)
        self.figures["cpu_us"].append(many["cpu_us"])
        self.figures["wall_100_ms"].append(many["wall_ms"])
        self.figures["wall_10_ms"].append(few["wall_ms"])

    def medians(self) -> dict[str, float]:
        return {name: statistics.median(values) for name, values in self.figures.items()}

    def close(self) -> None:
        self._process.terminate()
        self._process.communicate()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--before", metavar="REVISION", help="measure this revision's caller too")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each side (5)")
    parser.add_argument("--calls", type=int, default=500, help="calls of a round, 100 at once")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    parser.add_argument("--profile", metavar="FILE", help="write a profile of this caller there")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        environment = stack.enter_context(_stage())
        sides = {"this caller": Side("caller", ROOT, environment)}
        if arguments.before:
            before = stack.enter_context(_worktree(arguments.before))
            sides["before"] = Side("caller", before, environment)
        if _has_stripe():
            for name, kind in PEERS.items():
                sides[name] = Side(kind, ROOT, environment)
        for side in sides.values():
            stack.callback(side.close)
            side.run(2 * IN_FLIGHT, IN_FLIGHT)  # loads and connects everything
        for _ in range(arguments.rounds):
            for side in sides.values():
                side.measure(arguments.calls)
        if arguments.profile:
            sides["this caller"].run(arguments.calls, IN_FLIGHT, arguments.profile)
        medians = {name: side.medians() for name, side in sides.items()}
    print(json.dumps(_report(medians, arguments)) if arguments.json else _table(medians))
    return 0


def _report(medians: Mapping[str, Mapping[str, float]], arguments: Any) -> dict[str, Any]:
    return {
        "benchmark": "one_call",
        "answer_after_ms": ANSWER_AFTER_MS,
        "in_flight": IN_FLIGHT,
        "rounds": arguments.rounds,
        "sides": medians,
        "cpu_ratio": _ratio(medians),
    }


def _ratio(medians: Mapping[str, Mapping[str, float]]) -> float | None:
    if "before" not in medians:
        return None
    return round(medians["this caller"]["cpu_us"] / medians["before"]["cpu_us"], 3)


def _table(medians: Mapping[str, Mapping[str, float]]) -> str:
    lines = [f"{'':24}{'cpu/call':>12}{'10 calls':>12}{'100 calls':>12}"]
    for name, each in medians.items():
        cpu, ten, hundred = each["cpu_us"], each["wall_10_ms"], each["wall_100_ms"]
        lines.append(f"{name:24}{cpu:>9.0f} µs{ten:>9.0f} ms{hundred:>9.0f} ms")
    if (ratio := _ratio(medians)) is not None:
        lines.append(
            f"\nThis caller takes {ratio:.0%} of the processor's time that it took before."
        )
    return "\n".join(lines)


def _has_stripe() -> bool:
    try:
        import stripe  # noqa: F401
    except ImportError:
        return False
    return True


@contextmanager
def _stage() -> Iterator[dict[str, str]]:
    """Start Valkey and the stand-in. Yield the environment of the sides."""
    directory = Path(tempfile.mkdtemp(prefix="one-call-"))
    supervisor = Supervisor(directory, tell=print)
    command = (sys.executable, str(PROCESSES / "slow_stripe.py"), str(ANSWER_AFTER_MS))
    stripe = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        valkey = Valkey(supervisor, directory, durable=False)
        valkey.launch()
        valkey.await_ready(START_WITHIN_S)
        assert stripe.stdout is not None
        port = stripe.stdout.readline().strip()
        yield {
            **environment_without_aws(),
            **local_aws(NOWHERE),
            "STRIPE_API_BASE": f"http://127.0.0.1:{port}",
            "REQUEST_QUEUE_URL": NOWHERE,
            "DEAD_LETTER_QUEUE_URL": NOWHERE,
            "REDIS_URL": valkey.url,
            "STRIPE_LIMIT_SANDBOX": "100000",
            "STRIPE_LIMIT_OPERATION": "100000",
        }
    finally:
        stripe.terminate()
        stripe.communicate()
        supervisor.close()
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def _worktree(revision: str) -> Iterator[Path]:
    """Check the revision out beside this checkout."""
    directory = Path(tempfile.mkdtemp(prefix="one-call-before-"))
    git = ("git", "-C", str(ROOT), "worktree")
    subprocess.run(
        (*git, "add", "--detach", str(directory), revision), check=True, capture_output=True
    )
    try:
        yield directory
    finally:
        subprocess.run((*git, "remove", "--force", str(directory)), check=True, capture_output=True)


if __name__ == "__main__":
    sys.exit(main())
