"""The code of now works off the messages and requests of an earlier release.

Each request has one effect at most, and one settled flow.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import httpx
import pytest
from redis import Redis
from tests.integration.upgrade.recording import load, move_times, read_recording

from paydispatch.local.settings import LocalSettings
from paydispatch.local.stack import LocalStack

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORDINGS = sorted((Path(__file__).parents[2] / "data" / "upgrade").glob("*.json"))
PATIENCE_S = 150.0

FLOW = """
import json, os
def run(parsed, flow):
    line = {"context_id": flow.context_id, "request_id": flow.request_id, "outcome": "%s",
            "code": getattr(parsed, "code", None), "certainty": getattr(parsed, "certainty", None)}
    with open(os.environ["FLOW_LOG"], "a") as log:
        log.write(json.dumps(line) + "\\n")
"""

ENDED_BEFORE = {"finished", "dead", "refused", "keyed_refused"}
"""Their last flow ran before the upgrade."""

RESPONSES = {
    *("later", "dies", "lost", "limited", "gone", "absent", "paused"),
    *("unread", "ordered", "killed_before", "killed_after"),
    *("begun", "batch", "keyed", "named_key", "connected", "exhausted", "deleted", "captured"),
    *("library", "produced", "produced_with_id", "produced_v1", "follows"),
}
"""The contexts whose flow of an answer runs after the upgrade."""

ERRORS = {
    "unread_refused": "resource_missing",
    "reused": "idempotency_key_reused",
    "unreadable": "message_invalid",
}
"""The contexts whose flow of an error runs after the upgrade, with its code."""


@dataclass
class Upgraded:
    """A stack of now that has worked off a recording."""

    stack: LocalStack
    recording: dict[str, Any]
    log: Path

    def flows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text("utf-8").splitlines()]

    def settled_flows(self) -> list[dict[str, Any]]:
        return [flow for flow in self.flows() if flow["certainty"] != "unknown"]

    def request_ids(self) -> Iterator[str]:
        """Yield the ids of the requests that the API of the earlier release accepted."""
        yield from (asked["request_id"] for asked in self.recording["asked"])


@pytest.fixture(scope="module", params=RECORDINGS, ids=lambda file: file.stem)
def upgraded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Upgraded]:
    directory = tmp_path_factory.mktemp("upgrade")
    flows, log = directory / "flows", directory / "flows.log"
    flows.mkdir()
    log.touch()
    for outcome in ("response", "error"):
        (flows / f"any_{outcome}.py").write_text(FLOW % outcome)
    environment = {"FLOW_LOG": str(log), "FLOW_TIMEOUT_S": "8"}
    settings = LocalSettings(
        flows=flows, lenient=True, function_timeout_s=12, environment=environment
    )
    with LocalStack(settings, tell=lambda _: None) as stack, pytest.MonkeyPatch.context() as patch:
        for name, value in stack.environment().items():
            patch.setenv(name, value)
        run = Upgraded(stack, read_recording(request.param), log)
        work_off(run)
        yield run


def work_off(run: Upgraded) -> None:
    """Load the recording while nothing runs. Then start all programs, and operate them as after an upgrade."""
    programs = [name for name in run.stack.pids if name.startswith(("poller-", "worker"))]
    for name in programs:
        run.stack.stop(name)
    load(run.recording, run.stack)
    for name in programs:
        run.stack.restart(name)
    operate("resume", "--lane", "batch")
    operate("reconcile", ends_with=1)  # `absent` is still unknown, because it may still be sent
    operate("dlq", "redrive")
    until = time.monotonic() + PATIENCE_S
    while {flow["context_id"] for flow in run.settled_flows()} < RESPONSES | ERRORS.keys():
        assert time.monotonic() < until, sorted(flow["context_id"] for flow in run.settled_flows())
        time.sleep(0.2)
    time.sleep(2)  # for flows that should not run
    operate("reconcile")  # drops the entries of the requests that the redrive settled
    operate("dlq", "redrive", "--purge-settled")


def operate(*words: str, ends_with: int = 0) -> None:
    command = (sys.executable, "-m", "paydispatch", *words)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == ends_with, done.stdout + done.stderr


def test_each_request_has_one_settled_flow(upgraded: Upgraded) -> None:
    told = {
        context_id: sorted(flow["code"] or flow["outcome"] for flow in flows)
        for context_id, flows in by_context(upgraded.settled_flows()).items()
    }
    expected = {context_id: ["response"] for context_id in RESPONSES}
    expected |= {context_id: [code] for context_id, code in ERRORS.items()}
    assert told == expected | {"ordered": ["response"] * 3}
    before = {flow["context_id"] for flow in upgraded.recording["flows"]}
    assert before >= ENDED_BEFORE


def by_context(flows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for flow in flows:
        found.setdefault(flow["context_id"], []).append(flow)
    return found


def test_no_request_has_two_effects_at_stripe(upgraded: Upgraded) -> None:
    url = f"{upgraded.stack.addresses.stripe_base}/_twin/ledger?limit=1000"
    effects = Counter(one["idempotency_key"] for one in httpx.get(url).json()["effects"])
    executed_before = {
        call["headers"]["Idempotency-Key"] for call in upgraded.recording["stripe_calls"]
    }
    assert executed_before <= effects.keys()
    assert [key for key, number in effects.items() if number != 1 and key] == []


def test_each_status_is_final(upgraded: Upgraded) -> None:
    statuses = {
        asked["scene"]: httpx.get(
            f"{upgraded.stack.addresses.api}/v1/requests/{asked['request_id']}"
        ).json()["status"]
        for asked in upgraded.recording["asked"]
    }
    failed = {scene for scene, status in statuses.items() if status == "failed"}
    assert set(statuses.values()) == {"succeeded", "failed"}
    assert failed == {"refused", "keyed_refused", "unread_refused"}


def test_the_flows_of_a_context_run_in_the_order_of_their_outcomes(upgraded: Upgraded) -> None:
    (stream,) = (
        kept["value"]["entries"]
        for kept in upgraded.recording["redis"]
        if kept["key"] == "pd:{recorded-idle}:outcomes"
    )
    entries = [json.loads(fields["entry"]) for _, fields in stream]
    published = [entry["request_id"] for entry in entries if entry["context_id"] == "ordered"]
    ran = [flow["request_id"] for flow in upgraded.flows() if flow["context_id"] == "ordered"]
    assert ran == published


def test_nothing_waits_any_more(upgraded: Upgraded) -> None:
    with Redis.from_url(upgraded.stack.addresses.redis_url, decode_responses=True) as redis:
        left = [
            name
            for kind in ("open", "unknown", "later", "runs", "context:*")
            for name in redis.scan_iter(f"pd:{{*}}:{kind}")
        ]
    assert left == []
    sqs = boto3.client("sqs")
    waiting = {}
    for url in sqs.list_queues()["QueueUrls"]:
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        waiting[url.rpartition("/")[2]] = sum(
            int(value)
            for name, value in attributes.items()
            if name.startswith("ApproximateNumberOfMessages")
        )
    del waiting["paydispatch-looks"]  # a look may still be due. It finds no doubt
    assert waiting.pop("paydispatch-dead-letters") == 2  # those that name no worker
    assert waiting == dict.fromkeys(waiting, 0)


def test_an_idempotency_key_means_the_request_of_before_the_upgrade(upgraded: Upgraded) -> None:
    asked = {one["scene"]: one["request_id"] for one in upgraded.recording["asked"]}
    again = {
        scene: httpx.post(
            f"{upgraded.stack.addresses.api}/v1/products",
            json={
                "worker_id": "recorded-worker",
                "context_id": scene,
                "stripe_secret": "sk_test_recordedAgain",
                "params": {"name": scene, "metadata": {"scene": scene}},
            },
            headers={"Idempotency-Key": key},
        ).json()["request_id"]
        for scene, key in (("keyed", "recorded-keyed"), ("keyed_refused", "recorded-refused"))
    }
    assert again["keyed"] == asked["keyed"]
    assert again["keyed_refused"] != asked["keyed_refused"]  # it ended without an effect


def test_times_are_moved_wherever_they_stand() -> None:
    text = '"at":1795823484.619634,"id":"1795823484777-0","f1:1795823484ab":"x1795823484","n":12'
    assert move_times(text, 1795823480.5, 1795823490.5) == (
        '"at":1795823494.619634,"id":"1795823494777-0","f1:1795823484ab":"x1795823484","n":12'
    )
