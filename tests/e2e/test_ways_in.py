"""Every way into the pipeline ends in the same flow, and the Stripe key appears nowhere on the way."""

from __future__ import annotations

import json
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import boto3
import httpx
import pytest
import redis
from tests.e2e.objects_at_stripe import ObjectsAtStripe

from paydispatch import Dispatcher, SecretRef, new_coupon
from paydispatch.domain.identity.request_ids import request_id_for_unread
from paydispatch.local.log_tail import LogTail

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_sqs import SQSClient

    from paydispatch.local.stack import LocalStack

KEY = "sk_test_travels_sealed_only"
PARAMS = {"percent_off": 10, "duration": "once"}
PATIENCE_S = 30.0


@pytest.fixture(autouse=True)
def environment(stack: LocalStack, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in stack.environment().items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def sqs() -> SQSClient:
    return boto3.client("sqs")


@pytest.fixture(scope="module", autouse=True)
def check_key_is_nowhere(stack: LocalStack) -> Iterator[None]:
    """Check after all tests that the key is neither in Redis nor in the output of any part."""
    yield
    client = redis.Redis.from_url(stack.addresses.redis_url)
    client.config_set("rdbcompression", "no")  # or a dump could hide the key
    dumped = b"".join(client.dump(name) or b"" for name in client.scan_iter())
    client.close()
    output = "".join(log.read_text() for log in stack.directory.glob("*.log"))
    assert dumped
    assert KEY.encode() not in dumped
    assert KEY not in output


def coupon() -> Any:
    return new_coupon().percent_off(10).duration("once")


def test_the_sdk_over_sqs(stack: LocalStack) -> None:
    with Dispatcher.from_env():
        receipt = coupon().create_async("ways", "sqs", KEY)
    assert receipt.durable
    assert KEY not in str(receipt)
    assert status_when_final(stack, receipt.request_id)["status"] == "succeeded"


def test_the_sdk_over_http(stack: LocalStack) -> None:
    with Dispatcher.http(stack.addresses.api):
        receipt = coupon().create_async("ways", "http", KEY, lane="batch")
    assert status_when_final(stack, receipt.request_id)["status"] == "succeeded"


def test_a_named_secret_instead_of_a_key(stack: LocalStack) -> None:
    with Dispatcher.from_env():
        receipt = coupon().create_async("ways", "ref", SecretRef("demo"))
    assert status_when_final(stack, receipt.request_id)["status"] == "succeeded"


def test_a_missing_secret_ends_in_a_dispatcher_error(stack: LocalStack) -> None:
    body = {"worker_id": "ways", "context_id": "x", "secret_ref": "missing", "params": PARAMS}
    answer = httpx.post(f"{stack.addresses.api}/v1/coupons", json=body).json()
    final = status_when_final(stack, answer["request_id"])
    assert final["parsed_error"]["kind"] == "dispatcher"
    assert final["parsed_error"]["certainty"] == "not_created"


def test_a_program_that_writes_to_the_queue_itself(stack: LocalStack, sqs: SQSClient) -> None:
    message = envelope(request_id="pdr_direct_1", secret_ref="demo")
    sqs.send_message(QueueUrl=stack.addresses.queue_url, MessageBody=json.dumps(message))
    assert status_when_final(stack, "pdr_direct_1")["status"] == "succeeded"


def test_a_plaintext_key_in_a_message_is_refused_and_gone(
    stack: LocalStack, sqs: SQSClient
) -> None:
    message = json.dumps(envelope(request_id="pdr_plain_1", stripe_secret=KEY))
    sqs.send_message(QueueUrl=stack.addresses.queue_url, MessageBody=message)

    final = status_when_final(stack, request_id_for_unread("pdr_plain_1", message))

    assert final["parsed_error"]["code"] == "plaintext_key_refused"
    assert (
        count_visible_messages(sqs, stack.addresses.queue_url)
        == count_visible_messages(sqs, stack.addresses.dead_letter_queue_url)
        == 0
    )


def test_a_message_that_cannot_be_attributed_is_parked_and_fails_no_neighbour(
    stack: LocalStack, sqs: SQSClient
) -> None:
    bodies = ["not JSON", json.dumps({"v": 1, "stripe_secret": KEY}), "[1]"]
    bodies += [
        json.dumps(envelope(request_id=f"pdr_neighbour_{n}", secret_ref="demo")) for n in (1, 2)
    ]
    entries: Any = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies)]
    sqs.send_message_batch(QueueUrl=stack.addresses.queue_url, Entries=entries)

    for n in (1, 2):
        assert status_when_final(stack, f"pdr_neighbour_{n}")["status"] == "succeeded"
    parked = receive(sqs, stack.addresses.dead_letter_queue_url, 3)
    assert len(parked) == 3
    assert KEY not in "".join(parked)


def test_the_same_key_and_body_are_the_same_request(stack: LocalStack) -> None:
    body = {"worker_id": "ways", "context_id": "same", "stripe_secret": KEY, "params": PARAMS}
    url, header = f"{stack.addresses.api}/v1/coupons", {"Idempotency-Key": "order-1"}

    first, second = (httpx.post(url, json=body, headers=header) for _ in range(2))
    other = httpx.post(url, json={**body, "context_id": "else"}, headers=header)

    assert second.json() == {**first.json(), "status": second.json()["status"]}
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert other.status_code == 409
    assert other.json()["error"]["type"] == "idempotency_error"
    assert status_when_final(stack, first.json()["request_id"])["status"] == "succeeded"
    assert effects(stack).count(first.json()["request_id"]) == 1


def test_a_conversation_continues_from_flow_to_flow(stack: LocalStack) -> None:
    tail = LogTail(stack.directory)
    with closing(ObjectsAtStripe(stack.addresses.stripe_base, KEY)) as objects:
        metadata = {"monthly_price": "1500", "customer": objects.customer()}
    body = {
        "worker_id": "ways",
        "context_id": "conversation",
        "stripe_secret": KEY,
        "params": {"name": "Tea", "metadata": metadata},
    }
    httpx.post(f"{stack.addresses.api}/v1/products", json=body).raise_for_status()
    give_up_at = time.monotonic() + PATIENCE_S
    flows: list[str] = []
    while "new_create_subscription_response" not in flows and time.monotonic() < give_up_at:
        lines = [json.loads(line) for _, line in tail.new_lines() if b'"flow.finished"' in line]
        flows += [line["flow"] for line in lines if line["context_id"] == "conversation"]
        stack.wait(0.05)
    assert flows == [f"new_create_{name}_response" for name in ("product", "price", "subscription")]


def envelope(**fields: Any) -> dict[str, Any]:
    return {
        "v": 1,
        "object": "coupon",
        "params": PARAMS,
        "worker_id": "ways",
        "context_id": "q",
        **fields,
    }


def status_when_final(stack: LocalStack, request_id: str) -> dict[str, Any]:
    give_up_at = time.monotonic() + PATIENCE_S
    while True:
        answer = httpx.get(f"{stack.addresses.api}/v1/requests/{request_id}")
        if answer.status_code == 200 and answer.json()["status"] in (
            "succeeded",
            "failed",
            "unknown",
        ):
            return dict(answer.json())
        assert time.monotonic() < give_up_at, answer.text
        stack.wait(0.05)


def count_visible_messages(sqs: SQSClient, url: str) -> int:
    counted = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return int(counted["ApproximateNumberOfMessages"])


def receive(sqs: SQSClient, url: str, count: int) -> list[str]:
    bodies: list[str] = []
    give_up_at = time.monotonic() + PATIENCE_S
    while len(bodies) < count and time.monotonic() < give_up_at:
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        bodies += [message["Body"] for message in answer.get("Messages", [])]
    return bodies


def effects(stack: LocalStack) -> list[str]:
    ledger = httpx.get(f"{stack.addresses.stripe_base}/_twin/ledger").json()
    return [effect["idempotency_key"] for effect in ledger["effects"]]
