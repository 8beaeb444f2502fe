"""Run an earlier release and the code of now side by side, as a fleet is during a rolling deployment.

    make mixed-fleet COMMIT=a7f68ee

Callers and workers of both share the queues and one Redis. Requests come from the API of now and from the SDK of the
release. Answers of Stripe are lost, and the callers of the release are killed. It ends with 1 unless each request has
one effect at most and one settled flow.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx

from paydispatch.local.settings import LocalSettings
from paydispatch.local.stack import LocalStack

REQUESTS = 300
KILLS = 4
PATIENCE_S = 240.0
TIMES = {"function_timeout_s": 12, "visibility_timeout_s": 20}

FLOW = """
import json, os
def run(parsed, flow):
    line = {"context_id": flow.context_id, "request_id": flow.request_id, "outcome": "%s",
            "by": os.environ["FLEET"], "certainty": getattr(parsed, "certainty", None)}
    with open(os.environ["FLOW_LOG"], "a") as log:
        log.write(json.dumps(line) + "\\n")
    if flow.operation == "create_product" and "%s" == "response":
        flow.new_coupon().percent_off(5).duration("once").create_async()
"""

PRODUCE = """
import sys
from paydispatch import Dispatcher, new_product
with Dispatcher.from_env():
    for n in range(int(sys.argv[1])):
        new_product().name("Tea").create_async("w%d" % (n % 5), "old-%d" % n, "sk_test_mixed%d" % (n % 7))
"""

FAULTS = (
    {"match": {"method": "POST"}, "action": {"kind": "lost_answer"}, "probability": 0.1},
    {"match": {"method": "POST"}, "action": {"kind": "status", "status": 503}, "probability": 0.1},
)


class MixedFleet:
    """One stack of now, with a caller and a worker of a release beside its own."""

    def __init__(self, release: Path, directory: Path) -> None:
        self._python = str(release / ".venv" / "bin" / "python")
        self._directory, self._log = directory, directory / "flows.log"
        self._flows = directory / "flows"
        self._flows.mkdir()
        self._log.touch()
        for outcome in ("response", "error"):
            (self._flows / f"any_{outcome}.py").write_text(FLOW % (outcome, outcome))

    def run(self) -> bool:
        settings = LocalSettings(
            flows=self._flows,
            interactive_pollers=1,
            environment={"FLOW_LOG": str(self._log), "FLEET": "now"},
            **TIMES,  # type: ignore[arg-type]
        )
        with LocalStack(settings, tell=lambda _: None) as self._stack:
            self._environment = self._stack.environment() | {"FLEET": "release"}
            worker = self._start("worker", "--all", "--flows", str(self._flows))
            caller = self._start_caller()
            for rule in FAULTS:
                httpx.post(self._twin("faults"), json=rule).raise_for_status()
            asked = self._ask()
            for _ in range(KILLS):
                time.sleep(random.uniform(1, 3))
                caller.send_signal(signal.SIGKILL)
                caller.wait()
                caller = self._start_caller()
            httpx.delete(self._twin("faults")).raise_for_status()
            self._await_flows(2 * asked)
            for child in (worker, caller):
                child.terminate()
                child.wait()
            return self._report(asked)

    def _twin(self, name: str) -> str:
        return f"{self._stack.addresses.stripe_base}/_twin/{name}"

    def _start(self, *words: str, module: str = "paydispatch") -> subprocess.Popen[bytes]:
        with (self._directory / "release.log").open("ab") as log:
            return subprocess.Popen(
                (self._python, "-m", module, *words), env=self._environment, stdout=log, stderr=log
            )

    def _start_caller(self) -> subprocess.Popen[bytes]:
        own = {
            "--name": "release",
            "--queue-url": self._stack.addresses.queue_url,
            "--handler": "paydispatch.local.lambdas.stripe_caller.handler",
            "--batch-size": "20",
            "--timeout-s": str(TIMES["function_timeout_s"]),
        }
        words = [word for option in own.items() for word in option]
        return self._start(*words, module="paydispatch.local.poller")

    def _ask(self) -> int:
        """Send requests by both ways in. Return their number."""
        produce = (self._python, "-c", PRODUCE, str(REQUESTS // 3))
        producer = subprocess.Popen(produce, env=self._environment)
        for n in range(REQUESTS):
            body = {
                "worker_id": f"w{n % 5}",
                "context_id": f"new-{n}",
                "stripe_secret": f"sk_test_mixed{n % 7}",
                "params": {"name": "Tea"},
            }
            url = f"{self._stack.addresses.api}/v1/products"
            httpx.post(url, json=body, timeout=30).raise_for_status()
        if producer.wait() != 0:
            raise RuntimeError("the producer of the release failed")
        return REQUESTS + REQUESTS // 3

    def _settled(self) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self._log.read_text("utf-8").splitlines()]
        return [line for line in lines if line["certainty"] != "unknown"]

    def _await_flows(self, number: int) -> None:
        until = time.monotonic() + PATIENCE_S
        while len({flow["request_id"] for flow in self._settled()}) < number:
            if time.monotonic() > until:
                return  # the report shows it
            time.sleep(0.5)
        time.sleep(5)  # for flows that should not run

    def _report(self, asked: int) -> bool:
        settled = self._settled()
        flows = Counter(flow["request_id"] for flow in settled)
        effects = httpx.get(self._twin("ledger?limit=10000"), timeout=60).json()["effects"]
        by_key = Counter(effect["idempotency_key"] for effect in effects)
        text = (self._directory / "release.log").read_text("utf-8")
        figures = {
            "requests with their follow-ups": 2 * asked,
            "with a settled flow": len(flows),
            "with a second settled flow": sum(number > 1 for number in flows.values()),
            "with two effects": sum(number > 1 for number in by_key.values()),
            "ended in an error": sum(flow["outcome"] == "error" for flow in settled),
            "flows by now and by the release": dict(Counter(flow["by"] for flow in settled)),
            "settled by callers of the release": text.count('"request.settled"'),
            "of those in doubt before": sum(
                '"request.settled"' in line and '"maybe_executed":true' in line
                for line in text.splitlines()
            ),
            "faults in the release": text.count("Traceback") + text.count('"message.failed"'),
        }
        for name, figure in figures.items():
            print(f"{name}: {figure}")
        nothing_twice = (
            not figures["with a second settled flow"] and not figures["with two effects"]
        )
        return nothing_twice and len(flows) == 2 * asked


def main() -> int:
    os.environ.pop("PYTHONPATH", None)
    with tempfile.TemporaryDirectory() as directory:
        return 0 if MixedFleet(Path(sys.argv[1]), Path(directory)).run() else 1


if __name__ == "__main__":
    sys.exit(main())
