"""Measure who is told `unknown` in a storm of lost answers, although the object stands in Stripe's list.

    python -m tests.performance.lost_answers [--requests 2000] [--share 3] [--seed 5] [--json]

Runs the local stack with a twin that has the faults of a chaos run, `--share` times as often. No process is killed.
Each request has a short deadline, so that many end in doubt. Prints how many were ever told `unknown`, how many are
unknown 30 s after the last attempt although their object exists, how many verdicts are wrong, and how many GETs it
cost. Fails unless the second and the third are 0, and the last is at most two for each request that ended in doubt.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import redis
from tests.chaos.plan import LATENCY_MS, faults

from paydispatch import Dispatcher
from paydispatch.local.settings import LocalSettings
from paydispatch.local.stack import LocalStack

ROOT = Path(__file__).parents[2]
WORKER = "storm"
DEADLINE_S = 3.0
PER_SECOND = 60.0
PATIENCE_S = 300.0
GRACE_S = 30.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=2_000)
    parser.add_argument("--share", type=float, default=3.0)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        chaos = Path(folder) / "twin.json"
        chaos.write_text(json.dumps({"latency_ms": LATENCY_MS, "faults": faults(arguments.share)}))
        twin = (sys.executable, "-m", "paydispatch.twin")
        settings = LocalSettings(
            flows=ROOT / "flows",
            twin_command=(*twin, "--seed", str(arguments.seed), "--chaos", str(chaos)),
            interactive_pollers=3,
            batch_size=40,
            environment={"STRIPE_READ_TIMEOUT_S": "3"},
        )
        with LocalStack(settings) as stack:
            os.environ.update(stack.environment())
            figures = measure(stack, arguments.requests)
    if arguments.json:
        print(json.dumps(figures))
    else:
        print("\n".join(f"{name:<42} {value}" for name, value in figures.items()))
    return 0 if _holds(figures) else 1


def measure(stack: LocalStack, requests: int) -> dict[str, float]:
    unreached = dict.fromkeys(("live", "sandbox", "operation"), 100_000)  # with limits it counts
    limits = f"{stack.addresses.stripe_base}/_twin/rate-limits"
    httpx.put(limits, json=unreached).raise_for_status()
    ids = dispatch(requests)
    store = redis.Redis.from_url(stack.addresses.redis_url, decode_responses=True)
    wait_until_told(store, stack, ids)
    last_attempt_at = _last_attempt_at(stack)
    stack.wait(max(0.1, last_attempt_at + GRACE_S - time.time()))
    seen = Evidence.read(stack, store, ids)
    lines = list(_log_lines(stack.directory))
    looked_first = [line for line in lines if line.get("message") == "request.looked_first"]
    looks = [line for line in lines if line.get("message") == "look.done"]
    told = _told_unknown(store)
    reads = _list_reads(stack)
    doubts = len({line["request_id"] for line in looked_first})
    return {
        "requests": requests,
        "objects": len(seen.made),
        "ended in doubt": doubts,
        "settled by the look before": sum(line["settles"] for line in looked_first),
        "ever told unknown": len(told),
        "of these with an object": len(told & seen.made),
        "unknown after 30 s with an object": len(seen.unknown & seen.made),
        "unknown after 30 s without an object": len(seen.unknown - seen.made),
        "wrong verdicts": len((seen.failed & seen.made) | (seen.succeeded - seen.made)),
        "looks": len(looks),
        "GETs of lists": reads,
        "GETs for each request in doubt": round(reads / max(1, doubts), 2),
    }


def _holds(figures: dict[str, float]) -> bool:
    none = figures["unknown after 30 s with an object"] == figures["wrong verdicts"] == 0
    return none and figures["GETs for each request in doubt"] <= 2


def dispatch(requests: int) -> list[str]:
    """Dispatch the payments over half a minute, so that their sends are spread as in a storm."""
    ids = []
    started = time.perf_counter()
    with Dispatcher.from_env() as dispatcher:
        for number in range(requests):
            receipt = dispatcher.submit(
                "create_payment_intent",
                {"amount": 1_000 + number, "currency": "usd"},
                WORKER,
                f"order-{number}",
                "sk_test_storm",
                deadline_s=DEADLINE_S,
            )
            ids.append(receipt.request_id)
            time.sleep(max(0.0, started + number / PER_SECOND - time.perf_counter()))
    return ids


def wait_until_told(store: Any, stack: LocalStack, ids: list[str]) -> None:
    give_up_at = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up_at:
        statuses = set(_statuses(store, ids).values())
        if statuses <= {"succeeded", "failed", "unknown"}:
            return
        stack.wait(0.5)


@dataclass
class Evidence:
    made: set[str]
    succeeded: set[str]
    failed: set[str]
    unknown: set[str]

    @classmethod
    def read(cls, stack: LocalStack, store: Any, ids: list[str]) -> Evidence:
        status = _statuses(store, ids)
        sets = ({one for one in ids if status[one] == name} for name in ("succeeded", "failed"))
        succeeded, failed = sets
        return cls(_made(stack) & set(ids), succeeded, failed, set(ids) - succeeded - failed)


def _statuses(store: Any, ids: list[str]) -> dict[str, str]:
    pipe = store.pipeline(transaction=False)
    for request_id in ids:
        pipe.hget(f"pd:req:{{{request_id}}}", "status")
    return dict(zip(ids, pipe.execute(), strict=True))


def _told_unknown(store: Any) -> set[str]:
    """Return the requests with an unknown outcome on the worker's stream, settled later or not."""
    told = set()
    for _, fields in store.xrange(f"pd:{{{WORKER}}}:outcomes"):
        entry = json.loads(fields["entry"])
        if entry.get("error", {}).get("certainty") == "unknown":
            told.add(entry["request_id"])
    return told


def _made(stack: LocalStack) -> set[str]:
    effects = httpx.get(f"{stack.addresses.stripe_base}/_twin/ledger").json()["effects"]
    return {effect["idempotency_key"] for effect in effects}


def _last_attempt_at(stack: LocalStack) -> float:
    found = httpx.get(f"{stack.addresses.stripe_base}/_twin/attempts").json()["attempts"]
    return max((attempt["at"] for attempt in found), default=time.time())


def _list_reads(stack: LocalStack) -> int:
    """Return the reads of the list, as the twin counted them."""
    counts = httpx.get(f"{stack.addresses.stripe_base}/_twin/rate-counts").json()["counts"]
    return sum(one["calls"] for one in counts if one["operation"] == "GET /v1/payment_intents")


def _log_lines(directory: Path) -> Any:
    for path in directory.glob("poller-*.log"):
        for text in path.read_text("utf-8", "replace").splitlines():
            if text.startswith("{"):
                try:
                    yield json.loads(text)
                except ValueError:
                    continue


if __name__ == "__main__":
    sys.exit(main())
