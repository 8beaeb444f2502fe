"""Measure how soon an event of Stripe settles its request, when every answer is lost and no list can be read.

    python -m tests.performance.settled_by_events [--requests 240] [--seed 5] [--slowest 5] [--json]

Runs the local stack. The twin makes every object and loses every answer: most at once, and some only when the call's
timeout ends it. Its lists are switched off, and its events come late, twice and out of order. So nothing but an event
can prove a request. Prints the time from the arrival of a request's first event until its settled outcome was
published, and the log of the slowest requests. Fails unless every request is settled within 5 s after its event.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import redis
from tests.chaos.plan import LATENCY_MS

from paydispatch import Dispatcher
from paydispatch.local.settings import LocalSettings
from paydispatch.local.stack import LocalStack

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).parents[2]
WORKER = "silent"
DEADLINE_S = 120.0
PER_SECOND = 6.0
GOAL_S = 5.0
PATIENCE_S = 150.0
REQUESTS_PER_ACCOUNT = 5
"""Few, because twenty lost answers in a row open the breaker of an account, and it then sends single probes."""

LOOK_POLLERS = 2
"""As in a small burst on AWS, where up to five reconcilers take events at one time."""

READ_TIMEOUT_S = 12
"""The Stripe caller waits so long for an answer that hangs. The event of such a request comes long before its doubt."""

FAULTS: list[dict[str, Any]] = [
    {"match": {"lists": True}, "action": {"kind": "status", "status": 503}},
    *(
        {"match": {"method": "POST"}, "action": action, "probability": chance}
        for chance, action in (
            (0.15, {"kind": "hang", "when": "after"}),
            (0.10, {"kind": "status", "status": 500, "when": "after"}),
            (0.10, {"kind": "cut_off", "when": "after"}),
            (1.0, {"kind": "lost_answer"}),
        )
    ),
]
EVENT_FAULTS = {"late": 0.2, "late_s": 4.0, "twice": 0.3, "reordered": 0.3, "spread_s": 2.0}

ASKED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("create_customer", {"name": "Tea"}),
    ("create_coupon", {"percent_off": 5, "duration": "once"}),
    ("create_payment_intent", {"amount": 2000, "currency": "usd"}),
    ("create_product", {"name": "Tea"}),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=240)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--slowest", type=int, default=5, help="requests whose log is printed")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        chaos = Path(folder) / "twin.json"
        chaos.write_text(json.dumps({"latency_ms": LATENCY_MS, "faults": FAULTS}))
        twin = (sys.executable, "-m", "paydispatch.twin")
        settings = LocalSettings(
            flows=ROOT / "flows",
            twin_command=(*twin, "--seed", str(arguments.seed), "--chaos", str(chaos)),
            events=True,
            event_faults=EVENT_FAULTS,
            look_pollers=LOOK_POLLERS,
            environment={"STRIPE_READ_TIMEOUT_S": str(READ_TIMEOUT_S)},
        )
        with LocalStack(settings) as stack:
            os.environ.update(stack.environment())
            seen = observe(stack, arguments.requests)
            show_slowest(seen, stack.directory, arguments.slowest)
    counted = figures(seen)
    if arguments.json:
        print(json.dumps(counted))
    else:
        print("\n".join(f"{name:<42} {value}" for name, value in counted.items()))
    holds = counted["never settled"] == 0 and counted["longer than 5 s"] == 0
    return 0 if holds else 1


@dataclass(frozen=True, slots=True)
class Seen:
    """The times of all requests, in unix seconds."""

    asked: list[str]
    arrived_at: Mapping[str, float]
    """When the API had taken the first event of the request."""
    settled_at: Mapping[str, float]
    """When the settled outcome was published."""

    @property
    def waits_s(self) -> dict[str, float]:
        """Return the seconds that each request waited after its event. 0: it was settled before the event."""
        both = (one for one in self.asked if one in self.arrived_at and one in self.settled_at)
        return {one: max(0.0, self.settled_at[one] - self.arrived_at[one]) for one in both}


def observe(stack: LocalStack, requests: int) -> Seen:
    asked = dispatch(requests)
    store = redis.Redis.from_url(stack.addresses.redis_url, decode_responses=True)
    give_up_at = time.monotonic() + PATIENCE_S
    while len(settled := _settled_at(store)) < requests and time.monotonic() < give_up_at:
        stack.wait(0.5)
    return Seen(asked, _arrived_at(stack.addresses.stripe_base), settled)


def dispatch(requests: int) -> list[str]:
    ids, started = [], time.perf_counter()
    with Dispatcher.from_env() as dispatcher:
        for number in range(requests):
            name, params = ASKED[number % len(ASKED)]
            key = f"sk_test_silent{number // REQUESTS_PER_ACCOUNT}"
            receipt = dispatcher.submit(
                name, params, WORKER, f"order-{number}", key, deadline_s=DEADLINE_S
            )
            ids.append(receipt.request_id)
            time.sleep(max(0.0, started + number / PER_SECOND - time.perf_counter()))
    return ids


def _settled_at(store: Any) -> dict[str, float]:
    """Return when the settled outcome of each request came onto the stream. Its entry ids begin with the time."""
    found = {}
    for entry_id, fields in store.xrange(f"pd:{{{WORKER}}}:outcomes"):
        entry = json.loads(fields["entry"])
        if entry.get("error", {}).get("certainty") != "unknown":
            found[entry["request_id"]] = int(entry_id.partition("-")[0]) / 1000
    return found


def _arrived_at(stripe_base: str) -> dict[str, float]:
    arrived: dict[str, float] = {}
    for event in httpx.get(f"{stripe_base}/_twin/events", timeout=60).json()["events"]:
        key, at = event["idempotency_key"], event["delivered_at"]
        if key and at:
            arrived[key] = min(at, arrived.get(key, at))
    return arrived


def figures(seen: Seen) -> dict[str, float]:
    waits = sorted(seen.waits_s.values())
    return {
        "requests": len(seen.asked),
        "settled after their event": sum(wait > 0 for wait in waits),
        "never settled": len(seen.asked) - len(waits),
        "p50 s": _quantile(waits, 0.50),
        "p99 s": _quantile(waits, 0.99),
        "max s": _quantile(waits, 1.0),
        "longer than 5 s": sum(wait > GOAL_S for wait in waits),
    }


def _quantile(values: list[float], share: float) -> float:
    return round(values[min(len(values) - 1, int(share * len(values)))], 3) if values else 0.0


def show_slowest(seen: Seen, directory: Path, most: int) -> None:
    """Print the log of the requests that waited longest for their outcome after the event."""
    waits = {one: seen.waits_s.get(one, PATIENCE_S) for one in seen.asked}
    slowest = sorted(waits, key=lambda one: -waits[one])[:most]
    lines = _lines_of(directory, set(slowest))
    for request_id in slowest:
        print(f"{request_id}: {waits[request_id]:.2f} s after its event", file=sys.stderr)
        for line in sorted(lines[request_id], key=lambda one: str(one["timestamp"])):
            print(f"  {json.dumps(line)[:400]}", file=sys.stderr)


def _lines_of(directory: Path, wanted: set[str]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in _log_lines(directory):
        if line.get("request_id") in wanted:
            found[line["request_id"]].append(line)
    return found


def _log_lines(directory: Path) -> Iterator[dict[str, Any]]:
    for path in (*directory.glob("poller-*.log"), *directory.glob("gateway-*.log")):
        for text in path.read_text("utf-8", "replace").splitlines():
            if text.startswith("{"):
                try:
                    yield json.loads(text)
                except ValueError:
                    continue


if __name__ == "__main__":
    sys.exit(main())
