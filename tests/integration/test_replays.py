"""Repeats under an idempotency key, from the API to the flow, over a real Redis and a cluster."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.examples import CREATED, DECLINED, TIMED_OUT, create_request, make_refusal
from tests.unit.services.conftest import Caller

from paydispatch.adapters.redis import keys
from paydispatch.adapters.redis.connection import connect, connect_async
from paydispatch.adapters.redis.requests.request_slots import RedisRequests
from paydispatch.adapters.redis.requests.request_store import RedisRequestStore
from paydispatch.adapters.redis.streams.outcomes import RedisOutcomes
from paydispatch.domain.claims import claim_of
from paydispatch.domain.errors import IdempotencyConflict
from paydispatch.domain.identity.principal import LOCAL, Principal
from paydispatch.domain.identity.request_ids import request_id_for_repeat
from paydispatch.domain.limits import REMEMBER_S
from paydispatch.handlers.api.answers import accepted_answer, batch_answer
from paydispatch.services.accept import Accepted, Acceptor
from paydispatch.services.claim_newest import claim_newest
from paydispatch.testing.memory_clock import MemoryClock
from paydispatch.testing.memory_event_log import MemoryEventLog
from paydispatch.testing.memory_queues import MemoryRequestQueue
from paydispatch.testing.memory_sealing import MemorySealer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

KEY = "order-1"
SHOP = Principal("shop", "checkout")
REFUSED = make_refusal(400, code="resource_missing")


class World:
    """Two servers of the API and a Stripe caller on one Redis. The queue and Stripe are twins."""

    def __init__(self, api_redis: Any, redis: Any) -> None:
        self.clock = MemoryClock(time.time())  # Redis has its own clock
        self.api_redis = api_redis
        self.queue = MemoryRequestQueue()
        self.sealer = MemorySealer()
        self.store = RedisRequestStore(api_redis, self.clock)
        self.caller = Caller(self.sealer)
        self.caller.clock = self.clock
        self.caller.requests = RedisRequests(redis, self.clock, queue_tenant="local")  # type: ignore[assignment]
        self.caller.outcomes = RedisOutcomes(redis, queue_tenant="local")  # type: ignore[assignment]
        self.acceptor = Acceptor(
            queue=self.queue,
            sealer=self.sealer,
            requests=self.store,
            clock=self.clock,
            log=MemoryEventLog(),
            queue_tenant="local",
        )

    def ask(self, principal: Principal = LOCAL, **changes: Any) -> Accepted:
        return self.acceptor.accept(create_request(idempotency_key=KEY, **changes), principal)

    async def receive(self, answer: Any, *, message: int = -1, left_s: float = 300.0) -> None:
        """Receive a message of the queue once. Stripe gives the same answer to each attempt."""
        self.caller.answers(answer)
        assert await self.caller.receive(self.queue.sent[message], left_s=left_s)

    def ttl(self, slot: str) -> int:
        return int(self.api_redis.ttl(keys.request(slot)))

    def age(self, slot: str, ttl_s: int) -> None:
        """Make a slot as old as if it had `ttl_s` left."""
        self.api_redis.expire(keys.request(slot), ttl_s)


@pytest.fixture(params=["valkey", "cluster"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    url = request.getfixturevalue(request.param).url
    api_redis, redis = connect(url), connect_async(url)
    yield World(api_redis, redis)
    api_redis.close()
    await redis.aclose()


async def test_a_repeat_answers_the_status_of_now(world: World) -> None:
    first = world.ask()
    assert accepted_answer(first).status == 202
    assert "Idempotent-Replayed" not in accepted_answer(first).headers

    seen = [world.ask().status]
    await world.receive(TIMED_OUT, left_s=6.5)
    seen.append(world.ask().status)
    await world.receive(CREATED)
    again = world.ask()

    assert [*seen, again.status] == ["dispatched", "retrying", "succeeded"]
    assert again.request_id == first.request_id
    assert accepted_answer(again).headers["Idempotent-Replayed"] == "true"


async def test_a_batch_answers_each_item_with_the_status_of_now(world: World) -> None:
    refused, declined, created = (
        create_request(idempotency_key=name) for name in ("refused", "declined", "created")
    )
    for item, answer in ((refused, REFUSED), (declined, DECLINED), (created, CREATED)):
        world.acceptor.accept(item, LOCAL)
        await world.receive(answer)

    results = world.acceptor.accept_all([created, declined, refused, refused], LOCAL)

    accepted = [result for result in results if isinstance(result, Accepted)]
    shown = [(result.status, result.replayed) for result in accepted]
    assert shown == [("succeeded", True), ("failed", True), *[("dispatched", False)] * 2]
    assert accepted[2].request_id == accepted[3].request_id
    assert str(batch_answer(results).body).count("idempotent_replayed") == 2


async def test_a_key_makes_requests_until_one_of_them_has_an_effect(world: World) -> None:
    ids = []
    for answer in (REFUSED, REFUSED, CREATED):
        ids.append(world.ask().request_id)
        await world.receive(answer)

    assert ids[1:] == [request_id_for_repeat(ids[0], number) for number in (1, 2)]
    assert (world.ask().request_id, world.ask().status) == (ids[2], "succeeded")
    record = world.store.get(ids[0])
    assert record is not None
    assert record.status == "failed"


@pytest.mark.parametrize("answer", [DECLINED, CREATED], ids=["declined", "created"])
async def test_a_key_makes_no_other_request_if_stripe_keeps_an_answer(
    world: World, answer: Any
) -> None:
    world.ask()
    await world.receive(answer)
    assert world.ask().replayed
    assert len(world.queue.sent) == 1


async def test_a_late_duplicate_of_the_first_message_ends_as_a_duplicate(world: World) -> None:
    world.ask()
    await world.receive(REFUSED)
    repeat = world.ask()

    await world.receive(CREATED, message=0)
    assert world.caller.stripe.calls == []
    assert "request.duplicate" in world.caller.log.events()
    await world.receive(CREATED)

    assert world.ask().request_id == repeat.request_id
    assert world.ask().status == "succeeded"


async def test_many_askers_at_once_get_one_repeat(world: World) -> None:
    first = world.ask()
    await world.receive(REFUSED)

    askers = [asyncio.to_thread(world.ask) for _ in range(8)]
    ids = {accepted.request_id for accepted in await asyncio.gather(*askers)}

    assert ids == {request_id_for_repeat(first.request_id, 1)}
    for number in range(1, len(world.queue.sent)):
        await world.receive(CREATED, message=number)
    assert world.ask().status == "succeeded"


async def test_a_repeat_belongs_to_the_tenant_of_its_key(world: World) -> None:
    world.ask(SHOP)
    await world.receive(REFUSED)
    ours, theirs = world.ask(), world.ask(SHOP)
    assert not theirs.replayed
    assert ours.request_id != theirs.request_id
    assert world.store.get(f"shop {theirs.request_id}") is not None


async def test_another_body_is_a_conflict_after_a_repeat(world: World) -> None:
    world.ask()
    await world.receive(REFUSED)
    world.ask()
    with pytest.raises(IdempotencyConflict):
        world.ask(worker_id="worker-2")


async def test_the_first_slot_lives_as_long_as_the_newest_repeat(world: World) -> None:
    """Without it the key would make the first request once more, beside its repeat."""
    first = world.ask()
    await world.receive(REFUSED)
    world.ask()
    for answer in (TIMED_OUT, CREATED):
        world.age(first.request_id, 60)
        await world.receive(answer, left_s=6.5)
        assert world.ttl(first.request_id) > REMEMBER_S - 60


async def test_a_late_status_of_a_repeat_keeps_the_first_slot(world: World) -> None:
    """A reconciler writes it without a claim."""
    first = world.ask()
    await world.receive(REFUSED)
    world.ask()
    await world.receive(CREATED)
    entry = await world.caller.outcomes.last_entry("worker-1", world.queue.sent[-1].request_id)
    assert entry is not None
    world.age(first.request_id, 60)

    await world.caller.requests.write_status(entry)

    assert world.ttl(first.request_id) > REMEMBER_S - 60


async def test_each_ask_keeps_the_first_slot_and_that_of_the_newest_repeat(world: World) -> None:
    first = world.ask()
    await world.receive(REFUSED)
    repeat = world.ask()
    slots = (first.request_id, repeat.request_id)
    for slot in slots:
        world.age(slot, 60)
    world.ask()
    assert all(world.ttl(slot) > REMEMBER_S - 60 for slot in slots)


async def test_a_crash_after_the_count_is_made_up_for_by_the_next_ask(world: World) -> None:
    first = world.ask()
    claim = claim_of(world.queue.sent[0], "local", world.clock.now_s())
    await world.receive(REFUSED)
    assert world.store.count_repeats([(claim, 0)]) == [1]

    repeat = world.ask()

    assert repeat.request_id == request_id_for_repeat(first.request_id, 1)
    assert not repeat.replayed
    assert len(world.queue.sent) == 2


async def test_a_late_count_of_an_ended_repeat_advances_nothing(world: World) -> None:
    """A client library repeats a command whose answer was lost. The first one may be executed late."""
    world.ask()
    claim = claim_of(world.queue.sent[0], "local", world.clock.now_s())
    await world.receive(REFUSED)
    ended = [(claim, 0)] * 3
    assert world.store.count_repeats(ended) == [1, 1, 1]
    assert world.store.count_repeats([(claim, 1), (claim, 0)]) == [2, 2]


async def test_another_request_s_slot_counts_no_repeat(world: World) -> None:
    world.ask()
    claim = claim_of(world.queue.sent[0], "local", world.clock.now_s())
    assert world.store.count_repeats([(replace(claim, fingerprint="f1:other"), 7)]) == [7]
    assert world.store.count_repeats([(claim.under("pdr_lost"), 0)]) == [0]
    assert not world.api_redis.exists(keys.request("pdr_lost"))
    assert claim_newest(world.store, [claim])[0].state.repeats == 0
