"""Build a backlog while Stripe is down for several visibility timeouts, and check that all of it completes afterwards.

    python -m tests.chaos.backlog --messages 10000

Stripe answers 503 during the first half of the outage and refuses connections during the second. The visibility timeout
is shortened to 10 s and the function timeout to 8 s, so that a minute has six visibility timeouts. The program prints
its figures. It exits 1 if there are dead letters, more than 1.3 receives per message, not exactly one effect and one
flow per request, or anything left over.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from typing import Any

import httpx
from tests.chaos import evidence, invariants, report
from tests.chaos.plan import Plan
from tests.chaos.requests_made import KEYS as REQUEST_KEYS
from tests.chaos.requests_made import Book, make
from tests.chaos.run import KEYS, wait_until_quiet
from tests.chaos.stage import Stage, start_stage

from paydispatch import Dispatcher

VISIBILITY_TIMEOUT_S = 10
FUNCTION_TIMEOUT_S = 8
MAX_RECEIVES_PER_MESSAGE = 1.3
DOWN = [{"match": {}, "action": {"kind": "status", "status": 503}}]


def main() -> int:
    arguments = _arguments()
    plan = Plan(arguments.seed, arguments.messages, kills=0, repeated_share=0.0)
    _report(
        f"seed {plan.seed}: {plan.requests} messages, Stripe is down for {arguments.outage_s} s"
    )
    try:
        found = run_backlog(plan, arguments.outage_s)
    except report.PromiseBroken as failure:
        _report(str(failure))
        return 1
    if arguments.json:
        print(json.dumps(found))
    else:
        report.show(found)
    return 0


def run_backlog(plan: Plan, outage_s: float) -> dict[str, Any]:
    """Build the backlog, wait for the end of the outage and return the run's figures. Raises `PromiseBroken`."""
    changes = {
        "visibility_timeout_s": VISIBILITY_TIMEOUT_S,
        "function_timeout_s": FUNCTION_TIMEOUT_S,
        "batch_size": 100,
    }
    started = time.monotonic()
    with start_stage(plan, twin_faults=[], **changes) as stage:
        base = stage.stack.addresses.stripe_base
        for rule in DOWN:
            httpx.post(f"{base}/_twin/faults", json=rule).raise_for_status()
        book = _submit_backlog(plan)
        _report(f"the backlog is on the queue after {time.monotonic() - started:.0f} s")
        stage.stack.wait(outage_s / 2)
        refused = len(httpx.get(f"{base}/_twin/attempts").json()["attempts"])
        stage.stack.stop("twin")
        stage.stack.wait(outage_s / 2)
        stage.stack.restart("twin")
        recovered = time.monotonic()
        wait_until_quiet(stage)
        more = {
            "visibility_timeout_s": VISIBILITY_TIMEOUT_S,
            "function_timeout_s": FUNCTION_TIMEOUT_S,
            "outage_s": outage_s,
            "posts_answered_503": refused,
            "done_after_recovery_s": round(time.monotonic() - recovered, 1),
        }
        return more | _judge(stage, book, time.monotonic() - started)


def _submit_backlog(plan: Plan) -> Book:
    book, dice = Book(), plan.dice("backlog")
    with Dispatcher.from_env(buffer_size=plan.requests) as dispatcher:
        pairs = []
        for number in range(plan.requests):
            wanted = make(plan, "backlog", number, dice)
            wanted.params["metadata"]["script"] = "plain"
            place = (
                wanted.operation,
                wanted.params,
                wanted.worker_id,
                wanted.context_id,
                REQUEST_KEYS[0],
            )
            pairs.append((dispatcher.submit(*place, lane=wanted.lane), wanted))
    for receipt, wanted in pairs:
        book.note(receipt.request_id, wanted, "sdk_sqs")
    return book


def _judge(stage: Stage, book: Book, took_s: float) -> dict[str, Any]:
    found = evidence.gather(stage, book, KEYS)
    violations = invariants.find_violations(found)
    violations += [
        invariants.Violation("dead letters", f"{reason}: {body[:200]}")
        for body, reason in found.dead_letters
    ]
    if (receives := report.receives_per_message(found)) > MAX_RECEIVES_PER_MESSAGE:
        violations.append(invariants.Violation("receives per message", f"{receives:.2f}"))
    return report.judge(found, violations, took_s)


def _report(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--outage-s", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
