"""Record what a release leaves on its queues and in its Redis. It runs with the code and the libraries of that release.

    .venv/bin/python tools/upgrade/record.py OUT.json

It runs the release's local stack with a Stripe that ends each call as its scene says (`scenes.py`). It stops the parts
of the stack so that a request is left in every state.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import MISSING, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import httpx
from redis import Redis
from redis_texts import read_all
from scenes import BEGUN, CALLED, KILLED, NO_ADDRESS, PAUSED, PRODUCED, UNREAD, WORKER
from stripe_proxy import StripeProxy

from paydispatch import Dispatcher, new_product
from paydispatch.domain.entry import OutcomeEntry
from paydispatch.domain.message import read_message
from paydispatch.local.listening import free_port
from paydispatch.local.settings import LocalSettings
from paydispatch.local.stack import LocalStack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scenes import Scene

PATIENCE_S = 120.0
RUNS = 10
"""The runs of flows for `CALLED`: of all but `lost` and `limited`, and two of `dead`."""

AT_REST = ("succeeded", "failed", "unknown", "retrying")

FLOW = """
import json, os, time
from paydispatch import RetryLater

def run(parsed, flow):
    line = {"context_id": flow.context_id, "request_id": flow.request_id, "outcome": "%s"}
    with open(os.environ["FLOW_LOG"], "a") as log:
        log.write(json.dumps(line) + "\\n")
    if flow.context_id == "later":
        raise RetryLater(after_s=30)
    if flow.context_id == "dies":
        time.sleep(25)
    if flow.context_id == "dead":
        raise RuntimeError("a flow that fails")
    if flow.context_id == "follows" and flow.operation == "create_product":
        flow.new_coupon().percent_off(5).duration("once").create_async()
"""


class Recorder:
    """Leads one stack through the scenes."""

    def __init__(self, directory: Path) -> None:
        self._flows, self._log = directory / "flows", directory / "flows.log"
        self._flows.mkdir()
        self._log.touch()
        for outcome in ("response", "error"):
            (self._flows / f"any_{outcome}.py").write_text(FLOW % outcome)
        self.asked: list[dict[str, Any]] = []

    def record(self) -> dict[str, Any]:
        port = free_port()
        command = (sys.executable, "-m", "paydispatch", "twin", "--port", str(port), "--lenient")
        twin = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        proxy = StripeProxy(f"http://127.0.0.1:{port}", lambda: self._kill("poller-interactive-1"))
        settings = LocalSettings(
            flows=self._flows,
            stripe_base=proxy.url,
            interactive_pollers=1,
            function_timeout_s=12,
            worker_command=(sys.executable, "-m", "paydispatch", "worker", "--worker-id", WORKER),
            environment={"FLOW_LOG": str(self._log), "FLOW_ATTEMPTS": "1", "FLOW_TIMEOUT_S": "8"},
        )
        try:
            with LocalStack(settings) as self._stack:
                os.environ |= self._stack.environment()
                self._pollers = [name for name in self._stack.pids if name.startswith("poller-")]
                self._play()
                return self._read() | {"stripe_calls": proxy.executed}
        finally:
            proxy.close()
            twin.terminate()
            twin.wait()

    # The scenes, in order

    def _play(self) -> None:
        self._stack.stop("worker")
        self._run("pause", "--lane", "batch", "--by", "a recording")
        self._ask(PAUSED, *CALLED, *UNREAD)
        for text in NO_ADDRESS:
            self._send(text)
        self._await_rest()
        for scene in KILLED:
            self._ask(scene)
            self._await_kill()
        for name in self._pollers:
            self._stack.stop(name)
        self._run_flows()
        self._ask(*BEGUN)
        with Dispatcher.from_env():
            new_product().name("Tea").create_async(WORKER, "library", "sk_test_recordedLibrary")
        for text in PRODUCED:
            self._send(text)

    def _await_kill(self) -> None:
        killed = self._stack.pids["poller-interactive-1"]
        wait_until(lambda: self._stack.pids.get("poller-interactive-1") != killed, "a kill")
        time.sleep(1)  # for the process that took its place

    def _run_flows(self) -> None:
        """Run the worker until each of its outcomes had a run, and kill it in the run of `dies`."""
        self._stack.restart("worker")
        wait_until(lambda: len(self._lines()) >= RUNS, "the flows")
        time.sleep(2)  # for the writes that follow a line
        self._kill("worker")
        self._stack.stop("worker")

    def _ask(self, *scenes: Scene) -> None:
        for scene in scenes:
            key = {"Idempotency-Key": scene.idempotency_key} if scene.idempotency_key else {}
            answer = httpx.request(
                scene.method,
                self._stack.addresses.api + scene.path,
                json=scene.body(),
                headers=key,
                timeout=30,
            )
            answer.raise_for_status()
            self.asked.append({"scene": scene.name, **answer.json()})

    def _send(self, text: str) -> None:
        boto3.client("sqs").send_message(QueueUrl=self._stack.addresses.queue_url, MessageBody=text)

    def _await_rest(self) -> None:
        for asked in self.asked:
            url = f"{self._stack.addresses.api}/v1/requests/{asked['request_id']}"
            rests = lambda url=url: httpx.get(url, timeout=30).json()["status"] in AT_REST  # noqa: E731
            wait_until(rests, asked["scene"])

    def _lines(self) -> list[Any]:
        return [json.loads(line) for line in self._log.read_text().splitlines()]

    def _kill(self, name: str) -> None:
        os.killpg(self._stack.pids[name], signal.SIGKILL)

    def _run(self, *words: str) -> None:
        subprocess.run([sys.executable, "-m", "paydispatch", *words], check=True)

    # What is left

    def _read(self) -> dict[str, Any]:
        state = self._stack.directory / "ministack" / "state"
        self._stack.stop("ministack")
        with Redis.from_url(self._stack.addresses.redis_url) as redis:
            kept = read_all(redis)
        return {
            "recorded_at": time.time(),
            "readers": _readers(),
            "asked": self.asked,
            "flows": self._lines(),
            "redis": kept,
            "messages": list(_messages(json.loads((state / "sqs.json").read_text()))),
            "sealing_keys": json.loads((state / "kms.json").read_text())["payload"]["keys"]["data"],
        }


def _readers() -> dict[str, Any]:
    """Return what the release must find in a message and in an outcome, to read it."""
    schema = Path(read_message.__file__).with_name("envelope.v2.json")
    needed = [
        field.name
        for field in fields(OutcomeEntry)
        if field.default is MISSING and field.default_factory is MISSING
    ]
    return {"envelope": json.loads(schema.read_text("utf-8")), "entry_needs": needed}


def _messages(state: Any) -> Iterator[dict[str, Any]]:
    """Yield all messages of the queues, also those that are delayed or in flight."""
    for queue in state["payload"]["queues"]["data"].values():
        for message in queue["messages"]:
            yield {
                "queue": queue["name"],
                "body": message["body"],
                "attributes": message["message_attributes"],
                "receive_count": message["receive_count"],
            }


def wait_until(true: Callable[[], object], what: str) -> None:
    until = time.monotonic() + PATIENCE_S
    while not true():
        if time.monotonic() > until:
            raise TimeoutError(what)
        time.sleep(0.1)


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        recorded = Recorder(Path(directory)).record()
    Path(sys.argv[1]).write_text(json.dumps(recorded, indent=1) + "\n")


if __name__ == "__main__":
    main()
