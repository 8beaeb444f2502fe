"""Measure the flow worker: flows per second of one worker process, and the time from a publication to its flow.

    python tests/performance/flows.py [--flows 5000] [--rounds 3] [--at 50] [--seconds 6] [--against DIR] [--json]

Starts a Valkey of its own. The entries have bodies of 2.8 KB and are published before the worker starts, in as many
contexts as entries, in 100 contexts, or in one. The scripts do nothing, so that the worker is measured. It writes its
log lines to /dev/null. Prints the medians of the rounds: flows per second, flows per second of one whole core (1 / CPU
seconds of the worker per flow), and the CPU of Valkey per flow. Then it publishes `--at` outcomes per second and prints
the delays until their scripts begin. With `--against`, a worktree of another commit is measured in turn. It judges
nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redis import Redis

from paydispatch.adapters.redis import keys
from paydispatch.adapters.redis.connection import connect_async
from paydispatch.adapters.redis.streams.outcomes import RedisOutcomes
from paydispatch.domain.entry import OutcomeEntry
from paydispatch.domain.outcomes import Response
from paydispatch.local.processes import Supervisor
from paydispatch.local.settings import environment_without_aws, local_aws
from paydispatch.local.stores.valkey import Valkey

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT = Path(__file__).parents[2]
WORKER_PROGRAM = Path(__file__).parent / "processes" / "flow_worker.py"
WORKER, WARM_UP = "performance", "warm-up"
WARM_UP_FLOWS = 300
"""A worker imports libraries and connects in its first runs."""
NAME = "new_create_payment_intent_response"
SCRIPTS = {
    "async": "async def run(parsed_data, flow):\n    pass\n",
    "plain": "def run(parsed_data, flow):\n    pass\n",
    "delays": (
        "import builtins, time\n"
        "async def run(parsed_data, flow):\n"
        "    published_at = float(parsed_data['metadata']['published_at'])\n"
        "    builtins.delays_ms.append((time.time() - published_at) * 1000)\n"
    ),
}
CONTEXTS = (None, 100, 1)
"""None: as many contexts as entries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A measured case: the kind of script, and the contexts of the entries."""

    script: str
    contexts: int | None

    def __str__(self) -> str:
        return f"{self.script} def, {self.contexts or 'own'} context{'s' * (self.contexts != 1)}"


CASES = tuple(
    Case(script=s, contexts=c) for c, s in itertools.product(CONTEXTS, ("async", "plain"))
)


class FlowStage:
    """A Valkey, a folder of scripts per kind, and the workers that are started one after the other."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._supervisor = Supervisor(directory, tell=lambda _: None)
        self._valkey = Valkey(self._supervisor, directory, durable=False)
        self._valkey.launch()
        self._valkey.await_ready(30.0)
        self.redis = Redis.from_url(self._valkey.url, decode_responses=True)
        for kind, text in SCRIPTS.items():
            (directory / kind).mkdir()
            (directory / kind / f"{NAME}.py").write_text(text)

    @property
    def url(self) -> str:
        return self._valkey.url

    def close(self) -> None:
        self.redis.close()
        self._supervisor.close()

    def publish(self, worker: str, flows: int, contexts: int | None) -> None:
        """Put the entries on the stream and into their contexts' queues, as `publish.lua` does."""
        for first in range(0, flows, 500):
            numbers = range(first, min(first + 500, flows))
            with self.redis.pipeline(transaction=False) as pipe:
                for number in numbers:
                    text = make_entry(number, contexts).as_json()
                    pipe.xadd(keys.outcomes(worker), {"entry": text})
                ids = pipe.execute()
                for number, entry_id in zip(numbers, ids, strict=True):
                    pipe.rpush(keys.context(worker, context_id(number, contexts)), entry_id)
                pipe.execute()

    def start_worker(self, source: Path, script: str, *arguments: str) -> subprocess.Popen[str]:
        environment = {
            **environment_without_aws(),
            **local_aws("http://127.0.0.1:9"),
            "REQUEST_QUEUE_URL": "http://127.0.0.1:9/queue",
            "BATCH_QUEUE_URL": "http://127.0.0.1:9/batch",
            "REDIS_URL": self.url,
            "FLOWS_DIR": str(self._directory / script),
            "PYTHONPATH": str(source / "functions"),
        }
        command = [sys.executable, str(WORKER_PROGRAM), *arguments]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)

    def server_cpu_s(self) -> float:
        info: Any = self.redis.info("cpu")
        return float(info["used_cpu_user"]) + float(info["used_cpu_sys"])


def context_id(number: int, contexts: int | None) -> str:
    return f"context-{number % contexts if contexts else number}"


def make_entry(number: int, contexts: int | None, **metadata: str) -> OutcomeEntry:
    return OutcomeEntry(
        request_id=f"pdr_{number:026d}",
        object="payment_intent",
        worker_id=WORKER,
        context_id=context_id(number, contexts),
        params={"amount": 2000, "currency": "usd", "customer": "cus_NffrFeUfNV2Hib"},
        outcome=Response(body=make_body(number, metadata), attempts=1, stripe_request_id="req_1"),
        settled_at=time.time(),
        accepted_at=time.time(),
        principal="local/performance",
        sealed_secret="c2VhbGVk" * 40,
    )


def make_body(number: int, metadata: Mapping[str, str]) -> dict[str, Any]:
    """Return an answer of Stripe of 2.8 KB: a payment intent with its fields, and metadata of a shop."""
    body: dict[str, Any] = {
        "id": f"pi_{number:024d}",
        "object": "payment_intent",
        "amount": 2000,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 2000,
        "automatic_payment_methods": {"enabled": True, "allow_redirects": "always"},
        "capture_method": "automatic_async",
        "confirmation_method": "automatic",
        "created": 1_680_800_504,
        "currency": "usd",
        "customer": "cus_NffrFeUfNV2Hib",
        "description": "Tea — two boxes",
        "livemode": False,
        "metadata": {"paydispatch_request_id": f"pdr_{number:026d}", "order": "1001", **metadata},
        "payment_method_options": {
            "card": {"installments": None, "network": None, "request_three_d_secure": "automatic"},
            "link": {"persistent_token": None},
        },
        "payment_method_types": ["card", "link"],
        "status": "succeeded",
        **dict.fromkeys(("application", "canceled_at", "invoice", "on_behalf_of", "review")),
        "charges": {
            "object": "list",
            "has_more": False,
            "data": [
                {
                    "id": f"ch_{n}_{number:020d}",
                    "object": "charge",
                    "amount": 1000 + n,
                    "billing_details": {"email": "ada@example.com", "name": "Ada", "phone": None},
                    "outcome": {"network_status": "approved_by_network", "risk_level": "normal"},
                    "paid": True,
                    "receipt_url": "https://pay.stripe.com/receipts/payment/" + "C" * 40,
                }
                for n in range(4)
            ],
        },
    }
    body["statement_descriptor"] = "x" * (2_800 - len(json.dumps(body)) - 30)
    return body


def measure_drain(stage: FlowStage, source: Path, case: Case, flows: int) -> dict[str, float]:
    """Return flows per second, flows per second of a whole core, and Valkey's microseconds per flow."""
    stage.redis.flushall()
    stage.publish(WARM_UP, WARM_UP_FLOWS, case.contexts)
    stage.publish(WORKER, flows, case.contexts)
    before_s = stage.server_cpu_s()
    worker = stage.start_worker(source, case.script, "drain", WORKER, WARM_UP)
    figures = json.loads(worker.communicate()[0])
    if figures["flows"] != flows:
        raise SystemExit(f"{figures['flows']} flows of {flows} ran")
    return {
        "per_s": flows / figures["wall_s"],
        "per_core_s": flows / figures["cpu_s"],
        "valkey_us": (stage.server_cpu_s() - before_s) / (flows + WARM_UP_FLOWS) * 1e6,
    }


def measure_delays(stage: FlowStage, source: Path, at: int, seconds: float) -> dict[str, float]:
    """Publish `at` outcomes per second while a worker serves. Return the milliseconds until a script begins."""
    stage.redis.flushall()
    flows = round(at * seconds)
    worker = stage.start_worker(source, "delays", "serve", WORKER, str(flows + at))
    while not stage.redis.pubsub_numpat():
        time.sleep(0.05)
    asyncio.run(_publish_evenly(stage.url, flows + at, at))
    noted = json.loads(worker.communicate()[0])
    delays_ms = sorted(noted["delays_ms"][at:])  # the first second warms up
    return {
        "p50_ms": statistics.median(delays_ms),
        "p99_ms": delays_ms[int(len(delays_ms) * 0.99)],
    }


async def _publish_evenly(url: str, flows: int, at: int) -> None:
    redis = connect_async(url)
    outcomes = RedisOutcomes(redis, queue_tenant="local")
    began = time.perf_counter()
    for number in range(flows):
        await asyncio.sleep(max(0.0, began + number / at - time.perf_counter()))
        await outcomes.publish(make_entry(number, None, published_at=repr(time.time())))
    await redis.aclose()


def measure(
    stage: FlowStage, sources: Mapping[str, Path], options: argparse.Namespace
) -> Iterator[tuple[str, str, dict[str, float]]]:
    """Yield each case, its source and its medians. The sources take turns in each round."""
    cases = [case for case in CASES if not options.only or options.only in str(case)]
    for case in cases:
        flows = options.flows if case.contexts != 1 else options.flows // 4
        runs = [
            (name, measure_drain(stage, source, case, flows))
            for _ in range(options.rounds)
            for name, source in sources.items()
        ]
        yield from ((str(case), name, _medians(runs, name)) for name in sources)
    if options.at:
        delays = [
            (name, measure_delays(stage, source, options.at, options.seconds))
            for _ in range(options.rounds)
            for name, source in sources.items()
        ]
        what = f"publish to run at {options.at}/s"
        yield from ((what, name, _medians(delays, name)) for name in sources)


def _medians(runs: Sequence[tuple[str, dict[str, float]]], name: str) -> dict[str, float]:
    own = [figures for each, figures in runs if each == name]
    return {key: round(statistics.median(f[key] for f in own), 2) for key in own[0]}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--flows", type=int, default=5_000, help="entries of a round (default: 5000)"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--at", type=int, default=50, help="outcomes per second; 0: no delays")
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--against", type=Path, metavar="DIR", help="a worktree of another commit")
    parser.add_argument("--only", metavar="TEXT", help="only the cases whose name contains it")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    sources = {"here": ROOT} | ({"there": options.against} if options.against else {})
    with tempfile.TemporaryDirectory(prefix="flows-") as directory:
        stage = FlowStage(Path(directory))
        try:
            results = []
            for what, name, figures in measure(stage, sources, options):
                results.append({"what": what, "source": name, **figures})
                if not options.json:
                    shown = "  ".join(f"{key} {value:,.1f}" for key, value in figures.items())
                    print(f"{what:28} {name:6} {shown}", flush=True)
            if options.json:
                print(
                    json.dumps(
                        {"flows": options.flows, "cores": os.cpu_count(), "results": results}
                    )
                )
        finally:
            stage.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
