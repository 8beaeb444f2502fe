"""A thousand requests through the HTTP gateway have one object and one flow each."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import httpx

from paydispatch.local.demo.trail import Trail

if TYPE_CHECKING:
    from paydispatch.local.stack import LocalStack

REQUESTS = 1_000
SIDE_BY_SIDE = 16
PATIENCE_S = 120.0


def test_a_thousand_requests_have_one_object_and_one_flow_each(stack: LocalStack) -> None:
    answers = asyncio.run(post_all(stack.addresses.api))
    request_ids = {answer["request_id"] for answer in answers}
    assert len(request_ids) == REQUESTS

    flows = wait_for_flows(stack, request_ids)

    assert set(flows.values()) == {1}, "a request without its flow, or with more than one"
    assert objects_by_key(stack) == dict.fromkeys(request_ids, 1)
    succeeded = httpx.get(f"{stack.addresses.api}/v1/requests/{min(request_ids)}").json()
    assert succeeded["status"] == "succeeded"
    assert succeeded["parsed_data"]["object"] == "payment_intent"


async def post_all(api: str) -> list[dict[str, Any]]:
    places = asyncio.Semaphore(SIDE_BY_SIDE)
    async with httpx.AsyncClient(base_url=api, timeout=30.0) as client:

        async def post(number: int) -> dict[str, Any]:
            body = {
                "worker_id": f"gateway-worker-{number % 3}",
                "context_id": f"order-{number % 250}",
                "stripe_secret": "sk_test_http",
                "params": {"amount": 1000 + number, "currency": "usd"},
            }
            async with places:
                answer = await client.post("/v1/payment_intents", json=body)
            assert answer.status_code == 202, answer.text
            return dict(answer.json())

        return list(await asyncio.gather(*map(post, range(REQUESTS))))


def wait_for_flows(stack: LocalStack, request_ids: set[str]) -> Counter[str]:
    """Wait until every request has a finished flow or the time is over. Return the number of flows of each."""
    trail, give_up_at = Trail(stack.directory), time.monotonic() + PATIENCE_S
    while True:
        trail.read()
        runs = Counter({request_id: trail.runs(request_id) for request_id in request_ids})
        if all(runs.values()) or time.monotonic() >= give_up_at:
            return runs
        stack.wait(0.1)


def objects_by_key(stack: LocalStack) -> dict[str, int]:
    ledger = httpx.get(f"{stack.addresses.stripe_base}/_twin/ledger").json()
    return dict(Counter(effect["idempotency_key"] for effect in ledger["effects"]))
