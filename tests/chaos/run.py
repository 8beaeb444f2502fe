"""Chaos: the local stack under kills, stops, faults and duplicates, and afterwards what must hold.

    python -m tests.chaos.run --requests 10000 --kills 20 --seed 7 --seeds 3

Prints its seed first, its figures last, and exits 1 with the whole trail of a request that broke a promise.
`--kills` is how many kills each kind of process gets: callers, the flow worker, Redis, the APIs; how often the queue
is stopped, and how often Redis fails over.
Callers, worker and Redis are struck at random and at named points in turn, the APIs at named points; the queue is
stopped at random.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import httpx
from redis.exceptions import RedisError
from tests.chaos import evidence, invariants, report
from tests.chaos.chaos_flow import FLOW_LOG
from tests.chaos.chaos_names import POISONED_KEY
from tests.chaos.killer import Killer
from tests.chaos.plan import Plan
from tests.chaos.producer import Producer
from tests.chaos.reconcile_later import LATER_S
from tests.chaos.requests_made import KEYS as REQUEST_KEYS
from tests.chaos.requests_made import ROTATING_KEYS, Book
from tests.chaos.secret import point_secret
from tests.chaos.stage import Stage, lossy_way_to_sqs, raised

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE_S = 90.0
"""Nothing has moved for so long: whatever is not done will never be."""

LOOK_EVERY_S = 0.5
KEYS = (*REQUEST_KEYS, *ROTATING_KEYS, POISONED_KEY, "sk_test_local_demo")


def main() -> int:
    arguments = _arguments()
    broken = 0
    for number in range(arguments.seeds):
        seed = arguments.seed + number
        plan = Plan(seed, arguments.requests, arguments.kills, arguments.seconds)
        _tell(f"seed {plan.seed}: {plan.requests} requests in about {plan.lasts_s:.0f} s")
        try:
            found = unleash(plan)
        except report.PromiseBroken as failure:
            _tell(str(failure))
            broken += 1
            continue
        if arguments.json:
            print(json.dumps({"seed": plan.seed, **found}), flush=True)
        else:
            report.show({"seed": plan.seed, **found})
    return 1 if broken else 0


def unleash(plan: Plan) -> dict[str, Any]:
    """One whole run; return its figures. Raises `PromiseBroken`."""
    started = time.monotonic()
    book = Book()
    with raised(plan) as stage:
        producer, killer = (
            Producer(plan, stage.stack.addresses, book),
            Killer(stage, plan.schedule()),
        )
        killer.start()
        try:
            with lossy_way_to_sqs(stage, plan):
                producer.start()
                _until(stage, lambda: not producer.busy)
                producer.join()
            _tell(f"all is accepted after {time.monotonic() - started:.0f} s")
            _until(stage, lambda: not killer.busy)
            wait_until_quiet(stage)  # what is armed still may strike
        finally:
            producer.join()
            killer.settle()
        finish(stage)
        found = evidence.gather(stage, book, KEYS)
        return report.judged(found, invariants.broken(found), time.monotonic() - started)


def finish(stage: Stage) -> None:
    """Let everything come to its end, and settle what ended unknown: by Stripe's lists, now and a day later."""
    wait_until_quiet(stage)
    _clear_faults(stage)
    _reconcile(stage, "paydispatch")
    httpx.post(
        f"{stage.stack.addresses.stripe_base}/_twin/clock", json={"advance_s": LATER_S}
    ).raise_for_status()
    _reconcile(stage, "tests.chaos.reconcile_later")
    point_secret(
        stage.aws_endpoint, 1
    )  # what was bound to the second account can be proven with its key alone
    _reconcile(stage, "tests.chaos.reconcile_later")
    wait_until_quiet(stage)


def wait_until_quiet(stage: Stage) -> None:
    """Until the queues are empty and every entry is acknowledged, or nothing has moved for a long time."""
    moved_at, last = time.monotonic(), None
    while time.monotonic() < moved_at + PATIENCE_S:
        left = _left(stage)
        if left is not None and not any(left):
            return
        now = (left, _flows_run(stage))
        if now != last:
            moved_at, last = time.monotonic(), now
        stage.stack.wait(LOOK_EVERY_S)


def _left(stage: Stage) -> tuple[int, ...] | None:
    addresses = stage.stack.addresses
    queues = [
        sum(evidence.queue_counts(url).values())
        for url in (addresses.queue_url, addresses.batch_queue_url)
    ]
    try:
        with stage.redis.client() as client:
            return (*queues, evidence.pending(client))
    except RedisError:
        return None


def _flows_run(stage: Stage) -> int:
    log = stage.directory / FLOW_LOG
    return log.stat().st_size if log.exists() else 0


def _clear_faults(stage: Stage) -> None:
    httpx.delete(f"{stage.stack.addresses.stripe_base}/_twin/faults").raise_for_status()


def _reconcile(stage: Stage, module: str) -> None:
    """Its exit code 1 only says that something stays unknown; the invariants say whether it may."""
    ended = subprocess.run(
        (sys.executable, "-m", module, "reconcile", "--json"),
        env=stage.stack.environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    (stage.directory / f"reconcile-{module}.txt").write_text(ended.stdout + ended.stderr)
    if ended.returncode not in (0, 1):
        raise RuntimeError(f"{module} reconcile: {ended.stderr[-2000:]}")
    _tell(f"reconciled ({module}): {json.loads(ended.stdout)['counts']}")


def _until(stage: Stage, done: Callable[[], bool]) -> None:
    while not done():
        stage.stack.wait(LOOK_EVERY_S)


def _tell(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=20, help="of each kind of process")
    parser.add_argument("--seconds", type=float, help="to submit for (default: by kills)")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--seeds", type=int, default=1, help="runs, with consecutive seeds")
    parser.add_argument("--json", action="store_true", help="one line of JSON per run")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
