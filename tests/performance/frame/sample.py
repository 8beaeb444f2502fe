"""Times calls and prints figures, for the programs of a row. It needs no library, so that the peers can import it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

PARAMS = {
    "amount": 2000,
    "currency": "usd",
    "customer": "cus_NffrFeUfNV2Hib",
    "description": "Tea, two boxes",
    "metadata": {"order": "1001", "shop": "tea"},
    "receipt_email": "ada@example.com",
}
"""The parameters that every contestant hands over."""

BURNERS = 2
WARM_CALLS = 100
PAUSE_EVERY, PAUSE_S = 10, 0.02
"""An idle program hands over a few calls at a time. A tight loop would measure a flood."""


def print_figure(row: str, figure: str, unit: str, rounds: Sequence[float], **details: Any) -> None:
    line = {"row": row, "figure": figure, "unit": unit, "rounds": list(rounds)}
    print(json.dumps({**line, "details": details} if details else line), flush=True)


@contextmanager
def busy_cores() -> Iterator[None]:
    """Keep both cores busy for a block."""
    command = (sys.executable, "-c", "while True: pass")
    burners = [subprocess.Popen(command) for _ in range(BURNERS)]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
        for burner in burners:
            burner.wait()


def time_calls(call: Callable[[int], object], calls: int) -> list[float]:
    """Return the microseconds of wall time of each call, sorted."""
    taken_us = []
    for number in range(calls):
        if number % PAUSE_EVERY == 0:
            time.sleep(PAUSE_S)
        began = time.perf_counter()
        call(number)
        taken_us.append((time.perf_counter() - began) * 1e6)
    return sorted(taken_us)


def print_control_back(name: str, call: Callable[[int], object], calls: int) -> None:
    """Time the calls, idle and beside busy cores. Print the figures of one round."""
    for number in range(WARM_CALLS):
        call(number)
    idle_us = time_calls(call, calls)
    with busy_cores():
        busy_us = time_calls(call, calls)
    for statistic, values, share in (
        ("p50", idle_us, 0.5),
        ("p99", idle_us, 0.99),
        ("p99 busy", busy_us, 0.99),
    ):
        value = values[min(len(values) - 1, int(len(values) * share))]
        print_figure(f"control_back {statistic}", name, "us", [round(value, 1)])


def cpu_us_of(work: Callable[[], object], messages: int) -> float:
    """Return the microseconds of CPU of this process per message, all threads together."""
    began = time.process_time()
    work()
    return (time.process_time() - began) / messages * 1e6
