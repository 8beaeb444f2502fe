"""Run the local stack under kills, stops, faults and duplicates, then check that every promise held.

    python -m tests.chaos.run --requests 10000 --kills 20 --seed 7 --seeds 3

The program prints its seed first and its figures last. If a promise broke, it prints the complete trail of the request
and exits 1. `--kills` is the number of kills of each kind of process (callers, flow worker, Redis, gateways), the
number of stops of the queue, and the number of failovers of Redis. Kills of callers, worker and Redis come at random
times and at named points in turn. Kills of gateways come at named points only. Stops and failovers come at random
times. `--events` lets the twin send events, and `--lists-off` leaves nothing else that could prove an effect.
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
from tests.chaos.stage import Stage, lossy_way_to_sqs, start_stage
from tests.chaos.subscriptions import DEMO_KEY, prepare_subscriptions

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE_S = 90.0
"""If nothing has changed for so long, the run assumes that the rest will never complete."""

POLL_EVERY_S = 0.5
KEYS = (*REQUEST_KEYS, *ROTATING_KEYS, POISONED_KEY, DEMO_KEY)


def main() -> int:
    arguments = _arguments()
    broken = 0
    for number in range(arguments.seeds):
        seed = arguments.seed + number
        plan = Plan(
            seed,
            arguments.requests,
            arguments.kills,
            arguments.seconds,
            events=arguments.events,
            lists_off=arguments.lists_off,
        )
        _report(f"seed {plan.seed}: {plan.requests} requests in about {plan.lasts_s:.0f} s")
        try:
            found = run_chaos(plan)
        except report.PromiseBroken as failure:
            _report(str(failure))
            broken += 1
            continue
        if arguments.json:
            print(json.dumps({"seed": plan.seed, **found}), flush=True)
        else:
            report.show({"seed": plan.seed, **found})
    return 1 if broken else 0


def run_chaos(plan: Plan) -> dict[str, Any]:
    """Make one whole run and return its figures. Raises `PromiseBroken`."""
    started = time.monotonic()
    book = Book()
    with start_stage(plan) as stage:
        subscriptions = prepare_subscriptions(stage.stack.addresses.stripe_base, REQUEST_KEYS)
        producer, killer = (
            Producer(plan, stage.stack.addresses, book, subscriptions),
            Killer(stage, plan.schedule()),
        )
        killer.start()
        try:
            with lossy_way_to_sqs(stage, plan):
                producer.start()
                _until(stage, lambda: not producer.busy)
                producer.join()
            _report(f"all requests are accepted after {time.monotonic() - started:.0f} s")
            _until(stage, lambda: not killer.busy)
            wait_until_quiet(stage)  # an armed point may still kill
        finally:
            producer.join()
            killer.settle()
        lists_back_at = finish(stage)
        found = evidence.gather(stage, book, KEYS)
        found.lists_back_at = lists_back_at
        return report.judge(found, invariants.find_violations(found), time.monotonic() - started)


def finish(stage: Stage) -> float:
    """Wait until all is quiet, then reconcile the unknown requests by Stripe's lists, now and a day later.

    Return the time from which on the lists answer.
    """
    wait_until_quiet(stage)
    lists_back_at = time.time()
    _clear_faults(stage)
    _reconcile(stage, "paydispatch")
    httpx.post(
        f"{stage.stack.addresses.stripe_base}/_twin/clock", json={"advance_s": LATER_S}
    ).raise_for_status()
    _reconcile(stage, "tests.chaos.reconcile_later")
    # Only the key of the second account can prove the requests that are bound to it.
    point_secret(stage.aws_endpoint, 1)
    _reconcile(stage, "tests.chaos.reconcile_later")
    wait_until_quiet(stage)
    return lists_back_at


def wait_until_quiet(stage: Stage) -> None:
    """Wait until the queues are empty and every entry is acknowledged, or until nothing has changed for a long time."""
    moved_at, last = time.monotonic(), None
    while time.monotonic() < moved_at + PATIENCE_S:
        left = _count_left(stage)
        if left is not None and not any(left):
            return
        now = (left, _flows_run(stage))
        if now != last:
            moved_at, last = time.monotonic(), now
        stage.stack.wait(POLL_EVERY_S)


def _count_left(stage: Stage) -> tuple[int, ...] | None:
    addresses = stage.stack.addresses
    queues = [
        sum(evidence.queue_counts(url).values())
        for url in (addresses.queue_url, addresses.batch_queue_url)
    ]
    try:
        with stage.redis.client() as client:
            return (*queues, _count_waiting_events(stage), evidence.count_pending(client))
    except RedisError:
        return None


def _count_waiting_events(stage: Stage) -> int:
    return evidence.count_deliveries(stage.stack.addresses.stripe_base)["waiting"]


def _flows_run(stage: Stage) -> int:
    log = stage.directory / FLOW_LOG
    return log.stat().st_size if log.exists() else 0


def _clear_faults(stage: Stage) -> None:
    httpx.delete(f"{stage.stack.addresses.stripe_base}/_twin/faults").raise_for_status()


def _reconcile(stage: Stage, module: str) -> None:
    """Run the reconciler. Accept exit code 1 (a request stays unknown), because the invariants check those requests."""
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
    _report(f"reconciled ({module}): {json.loads(ended.stdout)['counts']}")


def _until(stage: Stage, done: Callable[[], bool]) -> None:
    while not done():
        stage.stack.wait(POLL_EVERY_S)


def _report(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=20, help="kills of each kind of process")
    parser.add_argument(
        "--seconds",
        type=float,
        help="how long to submit requests (default: derived from --requests and --kills)",
    )
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument(
        "--seeds", type=int, default=1, help="number of runs, with consecutive seeds"
    )
    parser.add_argument(
        "--events",
        action="store_true",
        help="let the twin send events: some late, lost, twice or out of order",
    )
    parser.add_argument(
        "--lists-off",
        action="store_true",
        help="lose every answer and refuse every list until all is quiet, so that only events can prove",
    )
    parser.add_argument("--json", action="store_true", help="print one line of JSON per run")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
