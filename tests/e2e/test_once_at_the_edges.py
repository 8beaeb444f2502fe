"""A request has one effect and one settled flow, also with two workers, two ways in or another body under its id."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

import boto3
import httpx
import pytest
import redis

from paydispatch import Dispatcher, new_coupon
from paydispatch.domain.identity.request_ids import request_id_for_key

if TYPE_CHECKING:
    from paydispatch.local.stack import LocalStack

KEY = "sk_test_once__only"
PATIENCE_S = 30.0


@pytest.fixture(autouse=True)
def environment(stack: LocalStack, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in stack.environment().items():
        monkeypatch.setenv(name, value)


def coupon(percent_off: int = 10) -> Any:
    return new_coupon().percent_off(percent_off).duration("once")


def effects(stack: LocalStack, request_id: str) -> list[dict[str, Any]]:
    ledger = httpx.get(f"{stack.addresses.stripe_base}/_twin/ledger").json()["effects"]
    return [effect for effect in ledger if effect["idempotency_key"] == request_id]


def wait_for_entries(stack: LocalStack, worker_id: str, count: int = 1) -> list[dict[str, Any]]:
    """Wait until a worker's stream has `count` entries, and return its entries."""
    give_up_at = time.monotonic() + PATIENCE_S
    with redis.Redis.from_url(stack.addresses.redis_url, decode_responses=True) as client:
        while True:
            found: Any = client.xrange(f"pd:{{{worker_id}}}:outcomes")
            if len(found) >= count or time.monotonic() > give_up_at:
                return [json.loads(fields["entry"]) for _, fields in found]
            time.sleep(0.05)


def test_one_key_for_two_workers_has_one_effect_one_response_and_one_error(
    stack: LocalStack,
) -> None:
    with Dispatcher.from_env():
        coupon().create_async("edge-1", "order-1", KEY, idempotency_key="order 1").wait(PATIENCE_S)
        (first,) = wait_for_entries(stack, "edge-1")
        coupon().create_async("edge-2", "order-1", KEY, idempotency_key="order 1")
    (second,) = wait_for_entries(stack, "edge-2")
    assert "response" in first
    assert second["error"]["code"] == "idempotency_key_reused"
    assert second["error"]["certainty"] == "not_created"
    assert len(effects(stack, first["request_id"])) == 1
    assert len(effects(stack, second["request_id"])) == 0


def test_one_key_over_the_queue_and_over_http_is_one_request(stack: LocalStack) -> None:
    with Dispatcher.from_env():
        receipt = coupon().create_async("edge-3", "order-2", KEY, idempotency_key="order 2")
    wait_for_entries(stack, "edge-3")
    body = {
        "worker_id": "edge-3",
        "context_id": "order-2",
        "stripe_secret": KEY,
        "params": {"percent_off": 10, "duration": "once"},
    }
    with httpx.Client(
        base_url=stack.addresses.api, headers={"Idempotency-Key": "order 2"}
    ) as client:
        same = client.post("/v1/coupons", json=body)
        other = client.post("/v1/coupons", json={**body, "context_id": "order-3"})
    assert same.status_code == 202
    assert same.json()["request_id"] == receipt.request_id
    assert same.headers["idempotent-replayed"] == "true"
    assert other.status_code == 409
    assert len(effects(stack, receipt.request_id)) == 1


def test_an_unreadable_message_with_another_request_s_id_does_not_end_that_request(
    stack: LocalStack,
) -> None:
    named = request_id_for_key("", "order 5")
    forged = {
        "v": 2,
        "request_id": named,
        "object": "coupon",
        "params": {"nonsense": 1},
        "worker_id": "edge-forger",
        "context_id": "c",
        "secret_ref": "demo",
        "attempt": "never",
    }
    boto3.client("sqs").send_message(
        QueueUrl=os.environ["REQUEST_QUEUE_URL"], MessageBody=json.dumps(forged)
    )
    wait_for_entries(stack, "edge-forger")
    with Dispatcher.from_env():
        receipt = coupon().create_async("edge-5", "order-5", KEY, idempotency_key="order 5")
    assert receipt.request_id == named
    (entry,) = wait_for_entries(stack, "edge-5")
    assert "response" in entry
