"""Measure what Lambda and SQS would bill for the batch lane, and compare it with the cost model.

    python -m tests.performance.billed [--calls 1000]

The real handler of the Stripe caller works on batches of 100 messages, which the local poller receives in tens from the
stub of SQS. Its Stripe answers after 300 ms. Counted are the milliseconds of each invocation, the SQS requests by
action, the doorbells, and the bytes of the log. Prints one line of JSON for each figure: measured, and by the model.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import sys
import time
import urllib.request
from contextlib import redirect_stdout
from typing import Any

import boto3
from tests.performance.control_back import create
from tests.performance.frame.sample import print_figure

from paydispatch import Dispatcher
from paydispatch.domain.cost.model import LANE_COSTS, MEASURED, Workload, use_of
from paydispatch.domain.requests import Lane
from paydispatch.local.lambdas.handlers import load_handler
from paydispatch.local.poller import Poller
from paydispatch.local.settings import local_aws

HANDLER = "paydispatch.local.lambdas.stripe_caller.handler"
TIMEOUT_S = 60.0
QUEUE, DOORBELL = "000000000000/queue", "000000000000/doorbell"
UNREACHED = "100000"


class Invocations:
    """Calls the handler, and notes the milliseconds of wall time and of CPU of each invocation."""

    def __init__(self) -> None:
        self._handler = load_handler(HANDLER)
        self.wall_ms: list[float] = []
        self.cpu_ms: list[float] = []

    def __call__(self, event: dict[str, Any], context: Any) -> Any:
        began, cpu_s = time.perf_counter(), time.process_time()
        answer = self._handler(event, context)
        self.wall_ms.append((time.perf_counter() - began) * 1000)
        self.cpu_ms.append((time.process_time() - cpu_s) * 1000)
        return answer


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--calls", type=int, default=1_000)
    calls = parser.parse_args().calls
    url = os.environ["BENCH_AWS_URL"]
    os.environ.update(local_aws(url))
    os.environ.update(
        REQUEST_QUEUE_URL=f"{url}/{QUEUE}",
        DEAD_LETTER_QUEUE_URL=f"{url}/000000000000/dead",
        DOORBELL_QUEUE_URL=f"{url}/{DOORBELL}",
        SEALING_KEY_ID="key",
        REDIS_URL=os.environ["BENCH_REDIS_URL"],
        STRIPE_API_BASE=os.environ["BENCH_STRIPE_URL"],
        STRIPE_LIMIT_SANDBOX=UNREACHED,
        STRIPE_LIMIT_OPERATION=UNREACHED,
    )
    log = io.StringIO()
    with redirect_stdout(log):
        invocations, counts = _run(url, calls)
    _print(calls, invocations, counts, len(log.getvalue()))
    return 0


def _run(url: str, calls: int) -> tuple[Invocations, dict[str, int]]:
    size = LANE_COSTS[Lane.BATCH].per_invocation
    invocations, before = Invocations(), _counts(url)
    poller = Poller(
        boto3.client("sqs"), f"{url}/{QUEUE}", invocations, batch_size=size, timeout_s=TIMEOUT_S
    )
    with Dispatcher.from_env() as dispatcher:
        for number in range(calls):
            create(number)
        dispatcher.flush()
    for _ in range(calls // size):
        poller.run_once()
    after = _counts(url)
    return invocations, {name: after[name] - before.get(name, 0) for name in after}


def _print(calls: int, invocations: Invocations, counts: dict[str, int], log_bytes: int) -> None:
    model = use_of(Workload(calls=calls, lane=Lane.BATCH))
    caller = model.functions[0]
    queue = sum(
        counts.get(f"{action} queue", 0) for action in ("SendMessageBatch", "ReceiveMessage")
    )
    queue += counts.get("DeleteMessageBatch queue", 0)
    wall_ms = statistics.median(invocations.wall_ms[1:]) * len(invocations.wall_ms)
    cpu_ms = statistics.median(invocations.cpu_ms[1:]) * len(invocations.cpu_ms)
    rows = (
        ("billed ms per call", "ms", wall_ms / calls, caller.billed_ms / calls),
        ("CPU ms per call", "ms", cpu_ms / calls, MEASURED.call_cpu_ms),
        ("SQS requests per call", "requests", queue / calls, model.queue_requests / calls),
        (
            "doorbell messages per call",
            "messages",
            counts.get("SendMessage doorbell", 0) / calls,
            model.doorbell_requests / 3 / calls,
        ),
        ("log bytes per call", "bytes", log_bytes / calls, float(MEASURED.log_bytes_of_a_call)),
    )
    for row, unit, measured, modelled in rows:
        print_figure(f"billed: {row}", "measured", unit, [round(measured, 3)])
        print_figure(f"billed: {row}", "model", unit, [round(modelled, 3)])


def _counts(url: str) -> dict[str, int]:
    with urllib.request.urlopen(f"{url}/counts") as answer:  # noqa: S310 - the stub on loopback
        counts: dict[str, int] = json.load(answer)
    return counts


if __name__ == "__main__":
    sys.exit(main())
