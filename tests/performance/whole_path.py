"""Measure the whole path on one machine: requests per second from the SDK to the last flow, and the CPU of each part.

    python -m tests.performance.whole_path [--requests 2000]

Runs the local stack with a twin that answers at once. The CPU of our own processes is printed apart from that of the
emulators, which AWS and Stripe replace. Prints one line of JSON for each figure. Fails if a flow is missing.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.performance.frame.processes import EMULATORS, OURS, cpu_between, usage_by_part
from tests.performance.frame.sample import PARAMS, print_figure

from paydispatch import Dispatcher
from paydispatch.local.demo.trail import Trail
from paydispatch.local.settings import LocalSettings
from paydispatch.local.stack import LocalStack

NAMES = ("new_create_payment_intent_response", "new_create_checkout_session_response")
FLOW = "async def run(parsed_data, flow):\n    pass\n"
PATIENCE_S = 300.0
FLUSH_EVERY = 5_000
"""Below the Dispatcher's buffer of 10,000."""
WARM_REQUESTS = 100
US = "paydispatch"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--requests", type=int, default=2_000)
    requests = parser.parse_args().requests
    with tempfile.TemporaryDirectory() as folder:
        write_flows(Path(folder))
        with LocalStack(LocalSettings(flows=Path(folder), lenient=True)) as stack:
            os.environ.update(stack.environment())
            run_requests(stack, Load(WARM_REQUESTS))  # loads and connects everything
            _measure(stack, requests)
    return 0


def write_flows(folder: Path) -> None:
    """Write the scripts, which do nothing."""
    for name in NAMES:
        (folder / f"{name}.py").write_text(FLOW)


def _measure(stack: LocalStack, requests: int) -> None:
    before, own_s = usage_by_part(stack.pids), time.process_time()
    wall_s = run_requests(stack, Load(requests))
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


@dataclass(frozen=True, slots=True)
class Load:
    """The requests that go through a stack."""

    requests: int
    contexts: int | None = None
    """None: a context of its own for each request."""
    workers: int = 1
    body_kb: float = 0.0
    """0: the parameters that every contestant hands over."""

    def params(self) -> dict[str, Any]:
        if not self.body_kb:
            return PARAMS
        items = max(1, round(self.body_kb * BYTES_PER_KB / ITEM_BYTES))
        return {
            "mode": "payment",
            "success_url": "https://example.com",
            "line_items": [ITEM] * items,
        }

    @property
    def operation(self) -> str:
        return "create_checkout_session" if self.body_kb else "create_payment_intent"


ITEM = {
    "quantity": 1,
    "price_data": {"currency": "usd", "unit_amount": 100, "product_data": {"name": "x" * 400}},
}
ITEM_BYTES, BYTES_PER_KB = 500, 1_000


def run_requests(stack: LocalStack, load: Load) -> float:
    """Dispatch the requests and wait for their flows. Return the seconds of wall time."""
    trail = Trail(stack.directory)
    trail.skip()
    began = time.perf_counter()
    with Dispatcher.from_env() as dispatcher:
        missing = _dispatch(dispatcher, load)
    name = f"new_{load.operation}_response"
    give_up_at = time.monotonic() + PATIENCE_S
    while missing:
        if time.monotonic() >= give_up_at:
            raise SystemExit(f"{len(missing)} flows of {load.requests} did not run")
        stack.wait(0.05)
        trail.read()
        missing = {one for one in missing if trail.find_run(one, name) is None}
    return time.perf_counter() - began


def _dispatch(dispatcher: Dispatcher, load: Load) -> set[str]:
    params, ids = load.params(), set()
    for number in range(load.requests):
        receipt = dispatcher.submit(
            load.operation,
            params,
            f"performance-{number % load.workers}",
            f"order-{number % load.contexts if load.contexts else number}",
            "sk_test_performance",
        )
        ids.add(receipt.request_id)
        if number % FLUSH_EVERY == FLUSH_EVERY - 1:
            dispatcher.flush()
    return ids


if __name__ == "__main__":
    sys.exit(main())
