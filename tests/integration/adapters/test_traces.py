"""`Traces` tells the stored path of a request, on Redis and in memory alike."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.adapters.slot_worlds import (
    DECLINED,
    DOUBT,
    claim_for,
    entry_of,
    send_for,
)

from paydispatch.adapters.redis.connection import connect, connect_async
from paydispatch.adapters.redis.requests.request_slots import RedisRequests
from paydispatch.adapters.redis.requests.request_store import RedisRequestStore
from paydispatch.adapters.redis.streams.inbox import RedisInbox
from paydispatch.adapters.redis.streams.outcomes import RedisOutcomes
from paydispatch.adapters.redis.traces import RedisTraces
from paydispatch.domain.claims import SendEnd
from paydispatch.domain.operators.traces import (
    MOST_LATER_SENDS,
    Dead,
    Finished,
    NotRead,
    Over,
    Pending,
    Postponed,
    Running,
)
from paydispatch.domain.outcomes import Response
from paydispatch.ports import Postponement
from paydispatch.testing.memory_clock import MemoryClock
from paydispatch.testing.memory_inbox import MemoryInbox
from paydispatch.testing.memory_outcomes import MemoryOutcomes
from paydispatch.testing.memory_requests import MemoryRequests, MemoryRequestStore, MemorySlots
from paydispatch.testing.memory_traces import MemoryTraces

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from paydispatch.domain.entry import OutcomeEntry
    from paydispatch.domain.operators.traces import FlowPath
    from paydispatch.ports import FlowInbox, RequestSlots, RequestStore, Traces, Turn
    from paydispatch.testing.memory_event_log import MemoryEventLog

CLAIM = claim_for("r1")
CREATED = Response(body={"id": "prod_1"}, attempts=2, stripe_request_id="req_1")
NEAR_S = 5.0


@dataclass
class World:
    """The API, the caller, a runner and an operator over one store."""

    store: RequestStore
    requests: RequestSlots
    outcomes: Any
    inbox: FlowInbox
    traces: Traces
    clock: MemoryClock
    redis: Any = None
    """None: the twins."""

    async def publish(self, entry: OutcomeEntry) -> None:
        await self.outcomes.publish(entry)
        if isinstance(self.inbox, MemoryInbox):
            self.inbox.put(entry)
        await self.requests.write_status(entry)

    async def take(self) -> Turn:
        (turn,) = await self.inbox.take("w1", at_most=10)
        return turn

    async def flow(self, request_id: str = "r1") -> FlowPath:
        (flow,) = await self.traces.flows("w1", request_id)
        return flow


@asynccontextmanager
async def redis_world(url: str, log: MemoryEventLog) -> AsyncIterator[World]:
    clock = MemoryClock(time.time())
    redis, api_redis = connect_async(url), connect(url)
    yield World(
        RedisRequestStore(api_redis, clock),
        RedisRequests(redis, clock, queue_tenant="local"),
        RedisOutcomes(redis, queue_tenant="local"),
        RedisInbox(redis, clock, log, consumer="runner", flow_timeout_s=30),
        RedisTraces(redis, clock),
        clock,
        redis,
    )
    api_redis.close()
    await redis.aclose()


def memory_world() -> World:
    clock, slots = MemoryClock(time.time()), MemorySlots()
    outcomes, inbox = MemoryOutcomes(clock), MemoryInbox(clock)
    requests = MemoryRequests(clock, outcomes, slots)
    store = MemoryRequestStore(slots, clock)
    return World(store, requests, outcomes, inbox, MemoryTraces(slots, inbox), clock)


@pytest.fixture(params=["memory", "valkey", "cluster"])
async def world(request: pytest.FixtureRequest, log: MemoryEventLog) -> AsyncIterator[World]:
    if request.param == "memory":
        yield memory_world()
        return
    async with redis_world(request.getfixturevalue(request.param).url, log) as world:
        yield world


async def test_a_request_that_is_not_known_or_only_claimed_has_no_path(world: World) -> None:
    world.store.claim([CLAIM])
    assert await world.traces.request("r1") is None
    assert await world.traces.request("r2") is None
    assert list(await world.traces.flows("w1", "r1")) == []
    assert list(await world.traces.statuses(["r1", "r2"])) == [None, None]
    assert list(await world.traces.statuses([])) == []


async def test_the_way_in_keeps_the_first_time_of_each_hop(world: World) -> None:
    began = world.clock.now_s()
    world.store.claim([CLAIM])
    world.store.mark_queued([CLAIM])
    await world.clock.sleep(2)
    await world.requests.claim(CLAIM)
    await world.clock.sleep(2)
    world.store.mark_queued([CLAIM])
    await world.requests.claim(CLAIM)
    found = await world.traces.request("r1")
    assert found is not None
    assert found.times.accepted_at == pytest.approx(CLAIM.accepted_at)
    assert found.times.queued_at == pytest.approx(began, abs=0.001)
    assert found.times.received_at == pytest.approx(began + 2, abs=0.001)
    assert (found.record.status, found.times.first_sent_at) == ("dispatched", None)
    assert list(await world.traces.statuses(["r2", "r1"])) == [None, "dispatched"]


async def test_each_send_after_the_first_keeps_its_attempt_and_its_time(world: World) -> None:
    await world.requests.claim(CLAIM)
    await world.requests.send(CLAIM, send_for("t1"))
    await world.requests.send(CLAIM, send_for("t1"))
    await world.requests.end_send(CLAIM, "t1", SendEnd.UNKNOWN)
    for attempt in range(2, MOST_LATER_SENDS + 5):
        await world.requests.send(CLAIM, send_for(f"t{attempt}", attempt=attempt))
    found = await world.traces.request("r1")
    assert found is not None
    times = found.times
    assert [send.attempt for send in times.later_sends] == [*range(2, MOST_LATER_SENDS + 2)]
    assert all(abs(send.at - time.time()) < NEAR_S for send in times.later_sends)
    assert times.first_sent_at is not None
    assert times.last_sent_at is not None
    assert times.first_sent_at <= times.later_sends[0].at <= times.last_sent_at
    assert (times.in_doubt, times.open_sends) == (True, MOST_LATER_SENDS + 4)


async def test_the_time_of_an_unknown_outcome_stays_when_it_settles(world: World) -> None:
    await world.requests.claim(CLAIM)
    unknown = entry_of(CLAIM, DOUBT)
    await world.publish(unknown)
    await world.publish(replace(entry_of(CLAIM, CREATED), settled_at=unknown.settled_at + 60))
    found = await world.traces.request("r1")
    assert found is not None
    assert found.record.status == "succeeded"
    assert found.times.unknown_at == unknown.settled_at
    assert found.times.settled_at == unknown.settled_at + 60
    assert found.times.stripe_request_id == "req_1"
    assert (await world.flow()).entry == replace(
        entry_of(CLAIM, CREATED), settled_at=unknown.settled_at + 60
    )


async def test_a_flow_is_told_from_its_outcome_to_its_end(world: World) -> None:
    await world.publish(entry_of(CLAIM, CREATED))
    flow = await world.flow()
    assert abs(flow.published_at - time.time()) < NEAR_S
    assert flow.state == NotRead()

    turn = await world.take()
    state = (await world.flow()).state
    assert isinstance(state, Running)
    assert state.runs == 1
    assert world.clock.now_s() < state.until <= world.clock.now_s() + 41

    await world.inbox.postpone(turn, 60, Postponement.FAILED)
    postponed = (await world.flow()).state
    assert isinstance(postponed, Postponed)
    assert (postponed.runs, round(postponed.due_at - world.clock.now_s())) == (1, 60)
    assert (postponed.failed, postponed.missing_since) == (1, None)

    await world.clock.sleep(61)
    (turn,) = await world.inbox.take_abandoned("w1", at_most=10)
    await world.inbox.finish(turn, take_next=True)
    await world.inbox.finish(turn, take_next=True)  # as after a lost answer
    finished = (await world.flow()).state
    assert isinstance(finished, Finished)
    assert (finished.runs, round(finished.at - world.clock.now_s(), 2)) == (2, 0)


async def test_a_flow_whose_script_is_missing_says_since_when(world: World) -> None:
    await world.publish(entry_of(CLAIM, CREATED))
    turn = await world.take()
    since = await world.inbox.missing_since(turn)
    await world.inbox.postpone(turn, 60, Postponement.MISSING)
    state = (await world.flow()).state
    assert isinstance(state, Postponed)
    assert (state.failed, state.missing_since) == (0, since)


async def test_an_entry_behind_another_of_its_context_says_so(world: World) -> None:
    await world.publish(entry_of(CLAIM, CREATED))
    await world.publish(entry_of(claim_for("r2"), CREATED))
    await world.take()
    if world.redis is None:
        assert (await world.flow("r2")).state == NotRead()
    else:  # a runner of Redis reads it, and leaves it to the end of the first
        assert (await world.flow("r2")).state == Pending(0, behind_another=True)


async def test_a_dead_flow_has_its_reason_and_leads_to_its_error_flow(world: World) -> None:
    await world.publish(entry_of(CLAIM, CREATED))
    turn = await world.take()
    error = turn.entry.with_error(DECLINED)
    await world.inbox.move_to_dead_stream(turn, reason="boom", successor=error, take_next=False)

    dead, successor = await world.traces.flows("w1", "r1")

    assert isinstance(dead.state, Dead)
    assert (dead.state.runs, dead.state.reason) == (1, "boom")
    assert abs(dead.state.at - time.time()) < NEAR_S
    assert successor.entry is not None
    assert successor.entry.outcome == DECLINED
    assert successor.state == NotRead()


async def test_a_request_of_another_tenant_is_in_a_slot_of_its_own(world: World) -> None:
    claim = claim_for(tenant="acme")
    await world.requests.claim(claim)
    assert await world.traces.request("r1") is None
    found = await world.traces.request("acme r1")
    assert found is not None
    assert (found.record.request_id, found.record.tenant) == ("r1", "acme")


async def test_a_flow_that_ended_before_ends_were_kept_is_over(valkey: Any, log: Any) -> None:
    async with redis_world(valkey.url, log) as world:
        await world.publish(entry_of(CLAIM, CREATED))
        turn = await world.take()
        await world.inbox.finish(turn, take_next=False)
        await world.redis.delete(f"pd:{{w1}}:ended:{turn.entry_id}")
        assert (await world.flow()).state == Over()
        await world.redis.delete("pd:{w1}:outcomes")
        flow = await world.flow()
        assert (flow.entry, flow.state) == (None, Over())
