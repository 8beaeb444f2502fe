"""A trace context reaches every program's log by every way in, and the path of a request is told from end to end.

The stack has a product follow its coupon, so that a trace also goes through a follow-up.
"""

from __future__ import annotations

import json
import time
from itertools import count
from typing import TYPE_CHECKING, Any

import boto3
import httpx
import pytest

from paydispatch import Dispatcher, new_coupon
from paydispatch.cli.main import main
from paydispatch.domain.identity.request_ids import follow_up_request_id
from paydispatch.local.log_tail import LogTail
from paydispatch.local.settings import LocalSettings
from paydispatch.local.stack import LocalStack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PARAMS = {"percent_off": 10, "duration": "once"}
REQUEST = {"worker_id": "traced", "secret_ref": "demo", "params": PARAMS}
PATIENCE_S = 30.0
FLOW = "def run(parsed_data, flow):\n    flow.log.info('mine')\n    flow.new_product().name('Tea').create_async()\n"

_numbers = count(1)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    flows: Path = tmp_path_factory.mktemp("flows")
    (flows / "new_create_coupon_response.py").write_text(FLOW)
    (flows / "any_response.py").write_text("def run(parsed_data, flow): ...\n")
    with LocalStack(LocalSettings(flows=flows)) as running:
        yield running


@pytest.fixture(autouse=True)
def environment(stack: LocalStack, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in stack.environment().items():
        monkeypatch.setenv(name, value)


def by_header(stack: LocalStack, trace: str) -> str:
    body = {**REQUEST, "context_id": trace}
    answer = httpx.post(
        f"{stack.addresses.api}/v1/coupons", json=body, headers={"traceparent": trace}
    )
    return str(answer.json()["request_id"])


def by_batch_item(stack: LocalStack, trace: str) -> str:
    item = {**REQUEST, "context_id": trace, "object": "coupon", "traceparent": trace}
    answer = httpx.post(f"{stack.addresses.api}/v1/batches", json={"requests": [item]})
    return str(answer.json()["results"][0]["request_id"])


def by_sdk(_stack: LocalStack, trace: str) -> str:
    with Dispatcher.from_env():
        return _create(trace)


def by_sdk_over_http(stack: LocalStack, trace: str) -> str:
    with Dispatcher.http(stack.addresses.api):
        return _create(trace)


def by_message(stack: LocalStack, trace: str) -> str:
    request_id = f"pdr_direct_{next(_numbers)}"
    message = {
        **REQUEST,
        "v": 2,
        "object": "coupon",
        "context_id": trace,
        "request_id": request_id,
        "traceparent": trace,
    }
    boto3.client("sqs").send_message(
        QueueUrl=stack.addresses.queue_url, MessageBody=json.dumps(message)
    )
    return request_id


def _create(trace: str) -> str:
    coupon = new_coupon().percent_off(10).duration("once")
    return (
        coupon.create_async("traced", trace, "sk_test_traced", traceparent=trace).wait().request_id
    )


@pytest.mark.parametrize("ask", [by_header, by_batch_item, by_sdk, by_sdk_over_http, by_message])
def test_a_trace_goes_from_the_way_in_to_the_flow_and_its_follow_up(
    stack: LocalStack,
    ask: Callable[[LocalStack, str], str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    number = next(_numbers)
    trace_id = f"{number:032x}"
    request_id = ask(stack, f"00-{trace_id}-{number:016x}-01")
    follow_up = follow_up_request_id(request_id, 1)

    lines = wait_for_lines(stack, trace_id, {request_id, follow_up})

    settled, finished = "request.settled", "flow.finished"
    for id_ in (request_id, follow_up):
        assert {settled, finished} <= {
            line["message"] for line in lines if line.get("request_id") == id_
        }
    assert "mine" in {line["message"] for line in lines}
    capsys.readouterr()
    assert main(["status", request_id, "--trace", "--json"]) == 0
    path = json.loads(capsys.readouterr().out)
    assert path["trace_id"] == trace_id
    hops = [hop["hop"] for hop in path["hops"]]
    assert hops[-4:] == ["received", "sent", "answered", "published"]
    assert [flow["state"] for flow in path["flows"]] == ["finished"]
    assert path["follow_ups"] == [{"request_id": follow_up, "status": "succeeded"}]


def wait_for_lines(stack: LocalStack, trace_id: str, request_ids: set[str]) -> list[dict[str, Any]]:
    """Return the log lines of a trace, when a flow of each request has finished or the time is over."""
    tail, lines = LogTail(stack.directory), []
    give_up_at = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up_at:
        for _, line in tail.new_lines():
            if trace_id.encode() in line and line.startswith(b'{"'):
                lines.append(json.loads(line))
        lines = [line for line in lines if line.get("trace_id") == trace_id]
        ran = {line["request_id"] for line in lines if line["message"] == "flow.finished"}
        if request_ids <= ran:
            break
        stack.wait(0.1)
    return lines
