"""Programs that wait for the outcome, through every way in, on the whole stack."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import pytest

from paydispatch import (
    Dispatcher,
    IdempotencyKeyReused,
    NotDelivered,
    new_payment_intent,
    new_product,
)
from paydispatch.local.settings import local_aws

if TYPE_CHECKING:
    from paydispatch import Receipt
    from paydispatch.local.stack import LocalStack

KEY = "sk_test_outcomes"
PATIENCE_S = 60.0


@pytest.fixture(params=["sqs", "http"])
def dispatcher(
    request: pytest.FixtureRequest, stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> Dispatcher:
    if request.param == "http":
        return Dispatcher.http(stack.addresses.api)
    known = stack.environment() | {"PAYDISPATCH_API_URL": stack.addresses.api}
    names = ("REQUEST_QUEUE_URL", "BATCH_QUEUE_URL", "SEALING_KEY_ID", "PAYDISPATCH_API_URL")
    aws = local_aws(stack.addresses.aws_endpoint)
    for name, value in {**{name: known[name] for name in names}, **aws}.items():
        monkeypatch.setenv(name, value)
    return Dispatcher.from_env()


def dispatch(context_id: str, amount: int = 2000, **options: Any) -> Receipt:
    intent = new_payment_intent().amount(amount).currency("usd")
    return intent.create_async("worker-1", context_id, KEY, **options)


def test_a_program_gets_the_answer_of_stripe(dispatcher: Dispatcher) -> None:
    with dispatcher:
        receipt = dispatch("context-1")
        outcome = receipt.outcome(PATIENCE_S)
    assert outcome.status == "succeeded"
    assert outcome.parsed_data is not None
    assert outcome.parsed_data["amount"] == 2000
    assert outcome.parsed_data["metadata"] == {"paydispatch_request_id": receipt.request_id}


async def test_coroutines_wait_at_once(dispatcher: Dispatcher) -> None:
    async with dispatcher:
        receipts = [dispatch(f"context-{number}", 1000 + number) for number in range(10)]
        outcomes = await asyncio.gather(*(receipt.outcome(PATIENCE_S) for receipt in receipts))
    amounts = [outcome.parsed_data["amount"] for outcome in outcomes if outcome.parsed_data]
    assert amounts == list(range(1000, 1010))


def test_an_error_of_stripe_is_an_outcome(dispatcher: Dispatcher) -> None:
    with dispatcher:
        unknown_customer = new_payment_intent().amount(1).currency("usd").customer("cus_none")
        outcome = unknown_customer.create_async("worker-1", "context-1", KEY).outcome(PATIENCE_S)
    assert (outcome.status, outcome.parsed_data) == ("failed", None)
    assert outcome.parsed_error is not None
    assert outcome.parsed_error.certainty == "not_created"


def test_a_key_of_another_request_never_gives_its_outcome(dispatcher: Dispatcher) -> None:
    key = uuid4().hex
    with dispatcher:
        own = dispatch("context-1", idempotency_key=key)
        assert own.outcome(PATIENCE_S).status == "succeeded"
        again = dispatch("context-1", idempotency_key=key)
        assert again.outcome(PATIENCE_S).parsed_data == own.outcome(PATIENCE_S).parsed_data
    for context_id, amount in (("context-1", 3000), ("context-2", 2000)):
        other = dispatch_alone(dispatcher, context_id, amount, key)
        with pytest.raises(IdempotencyKeyReused):
            other.outcome(PATIENCE_S)


def dispatch_alone(dispatcher: Dispatcher, context_id: str, amount: int, key: str) -> Receipt:
    dispatcher.start()
    receipt = (
        new_payment_intent()
        .amount(amount)
        .currency("usd")
        .create_async("worker-1", context_id, KEY, idempotency_key=key)
    )
    with suppress(NotDelivered):  # over HTTP the API refuses it at once, and the receipt says so
        dispatcher.close()
    return receipt


def test_over_http_a_receipt_keeps_its_request_id(stack: LocalStack) -> None:
    with Dispatcher.http(stack.addresses.api):
        receipt = new_product().name("Tea").create_async("worker-1", "context-1", KEY)
        before = receipt.request_id
    assert (receipt.durable, receipt.request_id) == (True, before)


def test_waiting_calls_delay_no_other_call(stack: LocalStack) -> None:
    """Four calls wait for a slow answer of Stripe. They would block both gateways, which take one event at a time."""
    body = {
        "worker_id": "worker-1",
        "context_id": "context-1",
        "stripe_secret": KEY,
        "params": {"name": "Tea"},
    }
    slow = {
        "match": {"params": {"name": "Slow"}},
        "action": {"kind": "latency", "latency_ms": 8000},
    }
    httpx.post(f"{stack.addresses.stripe_base}/_twin/faults", json=slow).raise_for_status()
    asked = {**body, "params": {"name": "Slow"}}
    waiting = [
        threading.Thread(target=post, args=(stack, asked, {"Prefer": "wait=5"})) for _ in range(4)
    ]
    for thread in waiting:
        thread.start()
    began = time.monotonic()
    answers = [post(stack, body, {}) for _ in range(10)]
    took_s = time.monotonic() - began
    still_waiting = [thread.is_alive() for thread in waiting]
    for thread in waiting:
        thread.join()
    assert {answer.status_code for answer in answers} == {202}
    assert all(still_waiting), f"the others took {took_s:.1f} s"


def test_a_call_gets_the_answer_of_stripe_or_a_202(stack: LocalStack) -> None:
    body = {
        "worker_id": "worker-1",
        "context_id": "context-1",
        "stripe_secret": KEY,
        "params": {"name": "Tea"},
    }
    answer = post(stack, body, {"Prefer": "wait=25"})
    assert (answer.status_code, answer.json()["status"]) == (200, "succeeded")
    assert answer.json()["parsed_data"]["name"] == "Tea"
    assert answer.headers["preference-applied"] == "wait=25"


def post(stack: LocalStack, body: dict[str, Any], headers: dict[str, str]) -> httpx.Response:
    url = f"{stack.addresses.api}/v1/products"
    return httpx.post(url, json=body, headers=headers, timeout=PATIENCE_S)
