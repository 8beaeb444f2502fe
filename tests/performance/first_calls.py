"""Measure the first and the second call of an operation in a new process, with and without `warm=`.

    python tests/performance/first_calls.py [--processes 11] [--json]

Each process starts a Dispatcher over a queue in memory, calls another operation once, and times two calls by the CPU
time of the calling thread, because other work on the machine changes that less. The processes of an operation take
turns, one with `warm=` and one without. Prints the medians in milliseconds. It judges nothing.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import time
from typing import Any

from paydispatch.domain.stripe.operations import operation_named
from paydispatch.sdk.dispatcher import Dispatcher
from paydispatch.testing.memory_delivery import MemoryDelivery

PARAMS: dict[str, dict[str, Any]] = {
    "create_payment_intent": {"amount": 2000, "currency": "usd", "capture_method": "manual"},
    "capture_payment_intent": {"amount_to_capture": 500},
    "confirm_payment_intent": {"payment_method": "pm_card_visa"},
    "create_checkout_session": {"mode": "setup", "currency": "usd"},
    "update_account": {"email": "ada@example.com"},
    "delete_coupon": {},
}
OTHER = "create_coupon"
"""A first call in a process costs a little more, whatever its operation. So this operation is called before."""

FIGURES = ("start", "first", "second")
CALL = {"worker_id": "performance", "context_id": "order-1", "stripe_secret": "sk_test_performance"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--processes", type=int, default=11, help="for each figure (default: 11)")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        operation, how = arguments.one
        print(json.dumps(time_calls(operation, warmed=how == "warmed")))
        return 0
    medians = {name: measure(name, arguments.processes) for name in PARAMS}
    print(json.dumps(medians) if arguments.json else _table(medians))
    return 0


def measure(operation: str, processes: int) -> dict[str, dict[str, float]]:
    """Return the median of each figure, of warmed processes and of the others."""
    ways = ("warmed", "not warmed")
    runs: dict[str, list[list[float]]] = {way: [] for way in ways}
    for _ in range(processes):
        for way in ways:
            runs[way].append(_in_new_process(operation, way))
    return {
        way: dict(zip(FIGURES, map(statistics.median, zip(*runs[way], strict=True)), strict=True))
        for way in ways
    }


def time_calls(operation: str, *, warmed: bool) -> list[float]:
    """Return the milliseconds of the Dispatcher's start, of the first call and of the second."""
    path = {name: f"{name}_1" for name in operation_named(operation).path_names}
    dispatcher = Dispatcher(MemoryDelivery(), warm=[operation] if warmed else [])
    times = [time.thread_time()]
    dispatcher.start()
    started = time.thread_time() - times.pop()
    dispatcher.submit(OTHER, {"percent_off": 10}, **CALL)
    times.append(time.thread_time())
    for _ in range(2):
        dispatcher.submit(operation, PARAMS[operation], path=path, **CALL)
        times.append(time.thread_time())
    dispatcher.close()
    return [started * 1000, *_between(times)]


def _between(times: list[float]) -> list[float]:
    return [(after - before) * 1000 for before, after in itertools.pairwise(times)]


def _in_new_process(operation: str, way: str) -> list[float]:
    command = [sys.executable, __file__, "--one", operation, way]
    figures: list[float] = json.loads(subprocess.check_output(command, text=True))
    return figures


def _table(medians: dict[str, dict[str, dict[str, float]]]) -> str:
    lines = [f"{'milliseconds':<26}{'':<12}" + "".join(f"{name:>10}" for name in FIGURES)]
    for operation, ways in medians.items():
        for way, figures in ways.items():
            shown = "".join(f"{figures[name]:>10.2f}" for name in FIGURES)
            lines.append(f"{operation:<26}{way:<12}{shown}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
