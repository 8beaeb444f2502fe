"""Events of the twin settle requests whose answers were lost, on a real Redis, without a read of any list."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.examples import KEY, SECRET_REF

from paydispatch.adapters.redis.connection import connect_async
from paydispatch.adapters.redis.requests.request_slots import RedisRequests
from paydispatch.adapters.redis.requests.unknown_outcomes import RedisUnknownOutcomes
from paydispatch.adapters.redis.streams.outcomes import RedisOutcomes
from paydispatch.adapters.stripe.client import StripeClient
from paydispatch.adapters.stripe.gateway import HttpStripeGateway, make_stripe_request
from paydispatch.adapters.stripe.lists import HttpStripeLists
from paydispatch.domain.attempts import Answered
from paydispatch.domain.claims import Go, Send, SendEnd, claim_of
from paydispatch.domain.credentials import StripeKey
from paydispatch.domain.envelope import Envelope
from paydispatch.domain.identity.marks import with_mark
from paydispatch.domain.identity.request_ids import new_request_id
from paydispatch.domain.looks.messages import EventMessage, event_message
from paydispatch.domain.outcomes import Response
from paydispatch.domain.progress import Progress
from paydispatch.domain.rates.limits import NO_LIMITS
from paydispatch.domain.stripe.accounts import bind_account
from paydispatch.domain.stripe.operations import operation_named
from paydispatch.services.reconcile import ReconcilePorts
from paydispatch.services.settle_by_event import EventSettler
from paydispatch.testing.memory_clock import MemoryClock
from paydispatch.testing.memory_doorbells import MemoryDoorbell
from paydispatch.testing.memory_doubts import MemoryDoubts
from paydispatch.testing.memory_event_log import MemoryEventLog
from paydispatch.testing.memory_limiter import MemoryLimiter
from paydispatch.testing.memory_queues import MemoryAsyncLookQueue
from paydispatch.testing.memory_sealing import MemorySealer, MemoryVault
from paydispatch.testing.memory_stripe import MemoryAccounts
from paydispatch.twin.serving.server import serve
from paydispatch.twin.twin import StripeTwin

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping


CREATES: dict[str, dict[str, Any]] = {
    "create_coupon": {"percent_off": 5, "duration": "once"},
    "create_customer": {"name": "Tea"},
    "create_product": {"name": "Tea"},
    "create_payment_intent": {"amount": 2000, "currency": "usd"},
}
SIGNED_IN = {"Authorization": f"Bearer {KEY}"}
TENANT = "local"


class NoLists(HttpStripeLists):
    """Reads single objects only."""

    async def find_created(self, **_: Any) -> Any:
        raise AssertionError("a list was read")


@dataclass
class World:
    ports: ReconcilePorts
    requests: RedisRequests
    gateway: HttpStripeGateway
    stripe: StripeClient
    queue: MemoryAsyncLookQueue

    async def lose_the_answer(
        self, operation: str, params: Mapping[str, Any], **path: str
    ) -> Envelope:
        """Send a request that Stripe executes. Its caller gets no answer, and notes the doubt."""
        row, now_s = operation_named(operation), time.time()
        asked = Envelope(
            request_id=new_request_id(now_s),
            object=row.object,
            operation=operation,
            path=path,
            params=params,
            worker_id="w1",
            context_id="c1",
            accepted_at=now_s,
            progress=Progress(deadline_at=now_s + 3_600),
            secret_ref=SECRET_REF,
        )
        claim = claim_of(asked, TENANT, now_s)
        account = bind_account(StripeKey(KEY), "acct_1", stripe_account=None, stripe_context=None)
        await self.requests.claim(claim)
        went = await self.requests.send(claim, Send(token="t1", account=account, attempt=1))
        assert isinstance(went, Go)
        attempt = await self.gateway.call(
            method=row.method,
            path=row.endpoint(path),
            params=with_mark(params, asked.request_id) if row.marked else params,
            key=StripeKey(KEY),
            request_id=asked.request_id,
            stripe_account=None,
        )
        assert isinstance(attempt, Answered), attempt
        await self.requests.end_send(claim, "t1", SendEnd.UNKNOWN)
        await self.requests.keep_message(claim, asked.as_message())
        return asked

    async def make(self, path: str, **form: str) -> str:
        answer = await make_stripe_request(self.stripe, KEY, path, form)
        return str(json.loads(answer.content)["id"])

    async def events(self) -> list[EventMessage]:
        answer = await self.stripe.request("GET", "/v1/events?limit=100", headers=SIGNED_IN)
        found = (event_message(event) for event in json.loads(answer.content)["data"])
        return [event for event in found if event is not None]

    async def settle(self, events: list[EventMessage]) -> None:
        """Settle by all events at once, and by the copies that are sent again."""
        settler = EventSettler(self.ports, queue_tenant=TENANT)
        await asyncio.gather(*(settler.settle(event) for event in events))
        while self.queue.sent:
            copy, _ = self.queue.sent.pop()
            assert isinstance(copy, EventMessage)
            await settler.settle(copy)

    async def outcome_of(self, asked: Envelope) -> Any:
        entry = await self.ports.outcomes.last_entry("w1", asked.request_id)
        return None if entry is None else entry.outcome


@pytest.fixture(params=["valkey", "cluster"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    redis = connect_async(request.getfixturevalue(request.param).url)
    clock, queue = MemoryClock(time.time()), MemoryAsyncLookQueue()
    requests = RedisRequests(redis, clock, queue_tenant=TENANT)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with serve(StripeTwin(), listener) as url, StripeClient(url) as stripe:
            ports = ReconcilePorts(
                unknown_outcomes=RedisUnknownOutcomes(redis, clock),
                requests=requests,
                lists=NoLists(stripe),
                accounts=MemoryAccounts(),
                limiter=MemoryLimiter(clock, NO_LIMITS),
                vault=MemoryVault(MemorySealer(), {(TENANT, SECRET_REF): KEY}),
                outcomes=RedisOutcomes(redis, queue_tenant=TENANT),
                doorbell=MemoryDoorbell(),
                doubts=MemoryDoubts(clock),
                look_queue=queue,
                clock=clock,
                log=MemoryEventLog(),
            )
            yield World(ports, requests, HttpStripeGateway(stripe), stripe, queue)
    await redis.aclose()


@pytest.mark.parametrize("seed", range(3))
async def test_events_in_any_order_twice_and_at_once_settle_each_request_once(
    world: World, seed: int
) -> None:
    asked = [
        await world.lose_the_answer(name, params)
        for name, params in CREATES.items()
        for _ in "12345"
    ]
    events = await world.events() * 2
    random.Random(seed).shuffle(events)

    await world.settle(events)

    for one in asked:
        outcome = await world.outcome_of(one)
        assert isinstance(outcome, Response), one.operation
        assert outcome.body["metadata"]["paydispatch_request_id"] == one.request_id
        doubt = await world.requests.find_doubt(one.request_id)
        assert doubt is not None
        assert (doubt.status, doubt.message) == ("succeeded", None)


async def test_lost_events_leave_their_requests_open(world: World) -> None:
    asked = [await world.lose_the_answer("create_coupon", CREATES["create_coupon"]) for _ in "1234"]
    lost = {one.request_id for one in asked[:2]}
    await world.settle([event for event in await world.events() if event.request_id not in lost])
    settled = [await world.outcome_of(one) is not None for one in asked]
    assert settled == [False, False, True, True]


async def test_an_act_and_an_update_are_settled_by_their_own_events(world: World) -> None:
    intent = await world.make("/v1/payment_intents", amount="2000", currency="usd")
    customer = await world.make("/v1/customers", name="Tea")
    cancel = await world.lose_the_answer("cancel_payment_intent", {}, intent=intent)
    update = await world.lose_the_answer("update_customer", {"name": "Coffee"}, customer=customer)

    await world.settle(await world.events())

    assert (await world.outcome_of(cancel)).body["status"] == "canceled"
    assert (await world.outcome_of(update)).body["name"] == "Coffee"
