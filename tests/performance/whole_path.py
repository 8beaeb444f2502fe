"""Measure the whole path on one machine: requests per second from the SDK to the last flow, and the CPU of each part.

    python -m tests.performance.whole_path [--requests 3000]

Runs the local stack with a twin that answers at once. The CPU of our own processes is printed apart from that of the
emulators, which AWS and Stripe replace. Prints one line of JSON for each figure. Fails if a flow is missing.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from tests.performance.frame.processes import EMULATORS, OURS, cpu_between, usage_by_part
from tests.performance.frame.sample import PARAMS, print_figure

from paydispatch import Dispatcher
from paydispatch.local.demo.trail import Trail
from paydispatch.local.settings import LocalSettings
from paydispatch.local.stack import LocalStack

NAME = "new_create_payment_intent_response"
FLOW = "async def run(parsed_data, flow):\n    pass\n"
PATIENCE_S = 300.0
US = "paydispatch"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--requests", type=int, default=3_000)
    requests = parser.parse_args().requests
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / f"{NAME}.py").write_text(FLOW)
        with LocalStack(LocalSettings(flows=Path(folder), lenient=True)) as stack:
            os.environ.update(stack.environment())
            run_requests(stack, 100)  # loads and connects everything
            _measure(stack, requests)
    return 0


def _measure(stack: LocalStack, requests: int) -> None:
    before, own_s = usage_by_part(stack.pids), time.process_time()
    wall_s = run_requests(stack, requests)
    parts = cpu_between(before, usage_by_part(stack.pids))
    parts["producer"] = time.process_time() - own_s
    each_us = {part: round(cpu_s / requests * 1e6, 1) for part, cpu_s in parts.items()}
    print_figure("whole_path", US, "per_s", [round(requests / wall_s, 1)], cpu_us=each_us)
    groups = {"our own processes": (*OURS, "producer"), "the emulators": EMULATORS}
    for group, names in groups.items():
        total_us = round(sum(each_us[name] for name in names), 1)
        print_figure("whole_path CPU", group, "us", [total_us])
    for part, cpu_us in each_us.items():
        print_figure("whole_path CPU", part, "us", [cpu_us])


def run_requests(stack: LocalStack, requests: int) -> float:
    """Dispatch so many payments and wait for their flows. Return the seconds of wall time."""
    trail, began = Trail(stack.directory), time.perf_counter()
    trail.read()
    with Dispatcher.from_env() as dispatcher:
        ids = [
            dispatcher.submit(
                "create_payment_intent", PARAMS, "performance", f"order-{number}", "sk_test_p"
            ).request_id
            for number in range(requests)
        ]
    give_up_at = time.monotonic() + PATIENCE_S
    missing = set(ids)
    while missing:
        if time.monotonic() >= give_up_at:
            raise SystemExit(f"{len(missing)} flows of {requests} did not run")
        stack.wait(0.05)
        trail.read()
        missing = {one for one in missing if trail.find_run(one, NAME) is None}
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
