"""The API answers bad input with a clear error in Stripe's shape. It queues nothing and logs no key."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paydispatch.local.stack import LocalStack

KEY = "sk_test_must_never_be_seen"
GOOD: dict[str, Any] = {
    "worker_id": "w",
    "context_id": "c",
    "stripe_secret": KEY,
    "params": {"amount": 2000, "currency": "usd"},
}
MIB = 1_048_576


def make_body_without(name: str) -> str:
    return json.dumps({field: value for field, value in GOOD.items() if field != name})


def make_body(**fields: Any) -> str:
    return json.dumps({**GOOD, **fields})


def make_body_of_size(size: int) -> str:
    """Return a valid body of exactly `size` bytes."""
    bare = make_body(params={**GOOD["params"], "description": ""})
    return make_body(params={**GOOD["params"], "description": "x" * (size - len(bare))})


PAYMENT_INTENTS, BATCHES = "/v1/payment_intents", "/v1/batches"
CASES = {
    "malformed JSON": (PAYMENT_INTENTS, '{"worker_id": ', 400, None),
    "no body": (PAYMENT_INTENTS, "", 400, None),
    "a list": (PAYMENT_INTENTS, "[]", 400, None),
    "not a number": (PAYMENT_INTENTS, '{"params": {"amount": NaN}}', 400, None),
    "nested without end": (PAYMENT_INTENTS, "[" * 100_000, 400, None),
    "an unknown object": ("/v1/gizmos", make_body(), 404, None),
    "no worker_id": (PAYMENT_INTENTS, make_body_without("worker_id"), 400, "worker_id"),
    "a worker_id that is a number": (PAYMENT_INTENTS, make_body(worker_id=7), 400, "worker_id"),
    "a worker_id with braces": (PAYMENT_INTENTS, make_body(worker_id="{w}"), 400, "worker_id"),
    "no context_id": (PAYMENT_INTENTS, make_body_without("context_id"), 400, "context_id"),
    "no key": (PAYMENT_INTENTS, make_body_without("stripe_secret"), 400, "stripe_secret"),
    "a publishable key": (
        PAYMENT_INTENTS,
        make_body(stripe_secret="pk_test_1"),
        400,
        "stripe_secret",
    ),
    "params that are a list": (PAYMENT_INTENTS, make_body(params=[]), 400, "params"),
    "a wrong type": (
        PAYMENT_INTENTS,
        make_body(params={"amount": "ten", "currency": "usd"}),
        422,
        "amount",
    ),
    "an unknown parameter": (
        PAYMENT_INTENTS,
        make_body(params={**GOOD["params"], "amout": 1}),
        422,
        "amout",
    ),
    "an unknown field": (PAYMENT_INTENTS, make_body(worker="w"), 400, "worker"),
    "an unknown lane": (PAYMENT_INTENTS, make_body(lane="fast"), 400, "lane"),
    "a deadline in the past": (PAYMENT_INTENTS, make_body(deadline_s=-1), 400, "deadline_s"),
    "one byte too many": (PAYMENT_INTENTS, make_body_of_size(MIB + 1), 413, None),
    "an empty batch": (BATCHES, '{"requests": []}', 400, "requests"),
    "a batch that is none": (BATCHES, '{"requests": 1}', 400, "requests"),
    "a lone surrogate": (
        PAYMENT_INTENTS,
        make_body(params={**GOOD["params"], "description": "\ud800"}),
        422,
        "description",
    ),
}


@pytest.fixture(scope="module", autouse=True)
def check_queues_and_logs(stack: LocalStack) -> Iterator[None]:
    """Check after all tests that the queues are empty and that no part printed the key."""
    yield
    sqs = boto3.client(
        "sqs",
        endpoint_url=stack.addresses.aws_endpoint,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
    for url in (stack.addresses.queue_url, stack.addresses.dead_letter_queue_url):
        counted = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        assert counted["ApproximateNumberOfMessages"] == "0"
        assert counted["ApproximateNumberOfMessagesNotVisible"] == "0"
    output = "".join(log.read_text() for log in stack.directory.glob("*.log"))
    assert KEY not in output
    assert "request.accepted" not in output


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_bad_input_is_refused_in_stripes_shape(
    stack: LocalStack, case: tuple[str, str, int, str | None]
) -> None:
    path, body, status, param = case

    answer = httpx.post(stack.addresses.api + path, content=body, timeout=30.0)

    assert answer.status_code == status, answer.text[:500]
    error = answer.json()["error"]
    assert error["type"] == "invalid_request_error"
    assert error["message"]
    assert error["code"]
    assert error.get("param") == param
    assert KEY not in answer.text


def test_an_invalid_item_is_reported_in_its_place_without_the_key(stack: LocalStack) -> None:
    items = [{"object": "coupon"}, {"object": "gizmo"}, 7, {**GOOD, "object": "price"}]

    answer = httpx.post(stack.addresses.api + BATCHES, json={"requests": items})

    assert answer.status_code == 202
    results = answer.json()["results"]
    assert [result["http_status"] for result in results] == [400, 404, 400, 422]
    assert KEY not in answer.text
