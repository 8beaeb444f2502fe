"""A message whose every receive ends with a killed caller still runs its error flow, once, and is parked."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from paydispatch import Dispatcher, new_coupon
from paydispatch.local.settings import LocalSettings
from paydispatch.local.stack import LocalStack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE_S = 60.0

CALLER = """
import os
from paydispatch.adapters.stripe.gateway import HttpStripeGateway
from paydispatch.local.lambdas.stripe_caller import handler as real_handler

async def die(*_, **__):
    os._exit(1)

HttpStripeGateway.call = die  # the first receive dies in its POST, after the send was noted

def handler(event, context):
    record = event["Records"][0]
    if record["eventSourceARN"].endswith(":paydispatch-interactive"):
        if record["attributes"]["ApproximateReceiveCount"] != "1":
            os._exit(1)  # the others before they know anything
    return real_handler(event, context)
"""

FLOW = """
import json, os
def run(parsed_error, flow):
    line = {"request_id": flow.request_id, "code": parsed_error.code, "certainty": parsed_error.certainty}
    with open(os.environ["FLOW_LOG"], "a") as log:
        log.write(json.dumps(line) + "\\n")
"""


@pytest.fixture
def flow_log(tmp_path: Path) -> Path:
    (tmp_path / "dying_caller.py").write_text(CALLER)
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows/any_error.py").write_text(FLOW)
    log = tmp_path / "flows.log"
    log.touch()
    return log


@pytest.fixture
def stack(flow_log: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalStack]:
    path = os.pathsep.join(filter(None, (str(flow_log.parent), os.environ.get("PYTHONPATH"))))
    settings = LocalSettings(
        flows=flow_log.parent / "flows",
        caller_handler="dying_caller.handler",
        function_timeout_s=20,
        visibility_timeout_s=2,  # a killed receive comes back at once; no other one is under way
        max_receives=2,
        environment={"FLOW_LOG": str(flow_log), "PYTHONPATH": path},
    )
    with LocalStack(settings, tell=lambda _: None) as running:
        for name, value in running.environment().items():
            monkeypatch.setenv(name, value)
        yield running


def test_a_message_whose_every_receive_died_runs_its_error_flow_once_and_is_parked(
    stack: LocalStack, flow_log: Path
) -> None:
    with Dispatcher.from_env():
        receipt = new_coupon().percent_off(10).duration("once").create_async(
            "worker-1", "context-1", "sk_test_exhausted"
        )  # fmt: skip

    parked = await_parked(stack, flow_log)

    (flow,) = [json.loads(line) for line in flow_log.read_text().splitlines()]
    assert flow == {
        "request_id": receipt.request_id,
        "code": "last_receive",
        "certainty": "unknown",
    }
    assert json.loads(parked["Body"])["request_id"] == receipt.request_id
    assert parked["MessageAttributes"]["reason"]["StringValue"] == "last_receive"


def await_parked(stack: LocalStack, flow_log: Path) -> Any:
    """Return the message that was parked, once a flow has run."""
    sqs = boto3.client("sqs")
    give_up_at = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up_at:
        found = sqs.receive_message(
            QueueUrl=stack.addresses.dead_letter_queue_url,
            MessageAttributeNames=["All"],
            WaitTimeSeconds=1,
            VisibilityTimeout=0,
        )
        if found.get("Messages") and flow_log.read_text():
            return found["Messages"][0]
    raise AssertionError("the message was not parked in time")
