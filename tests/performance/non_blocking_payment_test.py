"""Measure whether dispatching blocks: 1,000 payments against a Stripe that takes 500 ms for each.

    python tests/performance/non_blocking_payment_test.py [--calls 1000] [--latency-ms 500] [--json]

Starts the local stack and calls `create_async` once per payment, which includes validation and sealing. Prints how long
each call took to return, when the queue had all of them, and when the last flow had run. Fails only if a payment does
not have exactly one object in the twin and exactly one flow.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path

import httpx

from paydispatch import Dispatcher, new_payment_intent
from paydispatch.local.demo.trail import Trail
from paydispatch.local.settings import LocalSettings
from paydispatch.local.stack import LocalStack

ROOT = Path(__file__).parents[2]
FLOW = "new_create_payment_intent_response"
PATIENCE_S = 300.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=1_000)
    parser.add_argument("--latency-ms", type=int, default=500)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with LocalStack(LocalSettings(flows=ROOT / "flows")) as stack:
        os.environ.update(stack.environment())
        figures = measure(stack, arguments.calls, arguments.latency_ms)
    print(json.dumps(figures) if arguments.json else _text(figures))
    return 0 if figures["objects"] == figures["flows"] == figures["calls"] else 1


def measure(stack: LocalStack, calls: int, latency_ms: int) -> dict[str, float]:
    stripe = stack.addresses.stripe_base
    httpx.put(f"{stripe}/_twin/latency", json={"latency_ms": latency_ms}).raise_for_status()
    trail = Trail(stack.directory)
    trail.skip()
    first = time.perf_counter()
    with Dispatcher.from_env():
        returned_us, request_ids = dispatch(calls)
        dispatched_s = time.perf_counter() - first
    queued_s = time.perf_counter() - first
    flows = wait_for_flows(stack, trail, request_ids)
    total_s = time.perf_counter() - first
    effects = httpx.get(f"{stripe}/_twin/ledger").json()["effects"]
    keys = [effect["idempotency_key"] for effect in effects]
    return {
        "calls": calls,
        "stripe_latency_ms": latency_ms,
        "returned_p50_us": round(statistics.median(returned_us), 1),
        "returned_p99_us": round(quantile(returned_us, 0.99), 1),
        "returned_max_us": round(max(returned_us), 1),
        "all_dispatched_s": round(dispatched_s, 3),
        "all_on_the_queue_s": round(queued_s, 3),
        "all_flows_run_s": round(total_s, 2),
        "one_after_the_other_s": calls * latency_ms / 1000,
        "objects": len(set(keys)) if len(set(keys)) == len(keys) else -1,
        "flows": flows,
    }


def dispatch(calls: int) -> tuple[list[float], list[str]]:
    """Call `create_async` so many times. Return the microseconds of each call, and the request ids."""
    returned_us, request_ids = [], []
    for number in range(calls):
        payment = new_payment_intent().amount(1000 + number).currency("usd")
        payment.metadata({"order": str(number)})
        started = time.perf_counter()
        receipt = payment.create_async("performance", f"order-{number}", "sk_test_performance")
        returned_us.append((time.perf_counter() - started) * 1_000_000)
        request_ids.append(receipt.request_id)
    return returned_us, request_ids


def wait_for_flows(stack: LocalStack, trail: Trail, request_ids: list[str]) -> int:
    """Wait until every request has run its flow, or patience ends. Return the number that have."""
    give_up_at = time.monotonic() + PATIENCE_S
    while True:
        trail.read()
        ran = sum(trail.find_run(request_id, FLOW) is not None for request_id in request_ids)
        if ran == len(request_ids) or time.monotonic() >= give_up_at:
            return ran
        stack.wait(0.1)


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def _text(figures: dict[str, float]) -> str:
    return "\n".join(f"{name:<24} {value}" for name, value in figures.items())


if __name__ == "__main__":
    sys.exit(main())
