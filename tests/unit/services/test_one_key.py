"""One key is one request, from the API through the Stripe caller to the flow, over the same slots."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.examples import CREATED, IN_AN_HOUR, NOW_S, PARAMS, create_request, make_refusal
from tests.unit.queues import LosingQueue
from tests.unit.services.conftest import Api, Caller

from paydispatch.domain.errors import IdempotencyConflict, MaybeAccepted
from paydispatch.domain.identity.principal import LOCAL, Principal
from paydispatch.domain.outcomes import Error, Response
from paydispatch.flow import Flow
from paydispatch.testing.memory_delivery import MemoryDelivery

SHOP = Principal("shop", "checkout")
KEY = "order-1"


@pytest.fixture
def caller(api: Api) -> Caller:
    """The Stripe caller with the slots of this API."""
    caller = Caller(api.sealer, api.slots)
    caller.answers(CREATED)
    return caller


def flow_of(caller: Caller) -> Flow:
    """Return the flow of the last outcome."""
    return Flow(caller.outcomes.entries[-1], attempt=1, now_s=caller.clock.now_s())


async def test_a_follow_up_under_the_key_of_its_own_request_gets_an_error_outcome(
    api: Api, caller: Caller
) -> None:
    """The follow-up is another request under a used key, so it is not dropped as a duplicate of its parent."""
    api.accept(create_request(idempotency_key=KEY))
    await caller.receive(api.queue.sent[0])
    flow = flow_of(caller)
    flow.new_payment_intent().amount(1).currency("usd").create_async(idempotency_key=KEY)

    assert await caller.receive(flow.outbox[0])

    published = caller.outcomes.entries[-1]
    assert isinstance(published.outcome, Error)
    assert published.outcome.code == "idempotency_key_reused"
    assert (published.flow_name, published.worker_id) == (
        "new_create_payment_intent_error",
        "worker-1",
    )
    assert published.request_id != api.queue.sent[0].request_id
    assert len(caller.stripe.calls) == 1


async def test_a_key_used_in_a_flow_and_at_the_api_is_one_request_of_the_tenant(
    api: Api, caller: Caller
) -> None:
    api.accept(create_request(), SHOP)
    await caller.receive(api.queue.sent[0])
    flow = flow_of(caller)
    flow.new_payment_intent().amount(1).currency("usd").create_async(idempotency_key="next")

    again = create_request(params={"amount": 1, "currency": "usd"}, idempotency_key="next")
    assert api.accept(again, SHOP).request_id == flow.outbox[0].request_id
    assert api.accept(again, LOCAL).request_id != flow.outbox[0].request_id


async def test_a_flow_sees_the_tenant_of_its_request(api: Api, caller: Caller) -> None:
    api.accept(create_request(), SHOP)
    await caller.receive(api.queue.sent[0])
    flow = flow_of(caller)
    assert (flow.principal, flow.tenant) == ("shop/checkout", "shop")
    assert flow.operation == "create_payment_intent"
    assert flow.inferred is False


async def test_one_key_over_the_queue_and_over_the_api_with_another_amount_is_one_charge(
    api: Api, caller: Caller
) -> None:
    delivery = MemoryDelivery(api.sealer)
    delivery.deliver([delivery.prepare(create_request(idempotency_key=KEY))])
    await caller.receive(replace(delivery.envelopes[0], accepted_at=NOW_S, progress=IN_AN_HOUR))

    with pytest.raises(IdempotencyConflict):
        api.accept(create_request(idempotency_key=KEY, params={**PARAMS, "amount": 1}))

    assert api.accept(create_request(idempotency_key=KEY)).status == "succeeded"
    assert len(caller.stripe.calls) == 1


async def test_a_lost_answer_and_the_repeat_under_its_key_are_one_effect_and_one_flow(
    api: Api, caller: Caller
) -> None:
    losing = LosingQueue()
    with pytest.raises(MaybeAccepted) as lost:
        api.acceptor_for(losing).accept(create_request(), LOCAL)
    api.accept(create_request(idempotency_key=lost.value.idempotency_key))

    for message in (*losing.sent, *api.queue.sent):
        assert await caller.receive(message)

    assert len(caller.stripe.calls) == 1
    assert isinstance(caller.outcome, Response)


async def test_after_an_outcome_without_an_effect_the_same_key_creates_the_object(
    api: Api, caller: Caller
) -> None:
    caller.answers(make_refusal(400, code="resource_missing"), CREATED)
    request = create_request(idempotency_key=KEY)
    ends: list[Any] = []
    for _ in range(2):
        api.accept(request)
        await caller.receive(api.queue.sent[-1])
        ends.append(caller.outcomes.entries[-1])

    assert isinstance(ends[0].outcome, Error)
    assert isinstance(ends[1].outcome, Response)
    assert len({call["request_id"] for call in caller.stripe.calls}) == 2
    assert api.accept(request).status == "succeeded"


async def test_one_key_for_two_workers_is_one_effect_and_a_conflict(
    api: Api, caller: Caller
) -> None:
    api.accept(create_request(idempotency_key=KEY))
    with pytest.raises(IdempotencyConflict):
        api.accept(create_request(idempotency_key=KEY, worker_id="worker-2"))
    for sent in api.queue.sent:
        await caller.receive(sent)
    assert len(caller.outcomes.entries) == 1


async def test_another_tenant_s_request_runs_no_flow_of_a_worker_with_the_same_name(
    api: Api, caller: Caller
) -> None:
    api.accept(create_request(), SHOP)
    await caller.receive(api.queue.sent[0])
    assert {worker for worker, _ in caller.outcomes.marks} == {"shop worker-1"}
