"""`RedisBacklog` reports to `doctor` the requests and flows that wait."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.adapters.slot_worlds import claim_for, send_for

from paydispatch.adapters.aws.queue_depths import SqsDepths
from paydispatch.adapters.clock import SystemClock
from paydispatch.adapters.redis import keys
from paydispatch.adapters.redis.backlog import RedisBacklog
from paydispatch.adapters.redis.connection import connect, connect_async
from paydispatch.adapters.redis.requests.request_slots import RedisRequests
from paydispatch.adapters.redis.requests.request_store import RedisRequestStore
from paydispatch.adapters.redis.streams.inbox import RedisInbox
from paydispatch.adapters.redis.streams.outcomes import RedisOutcomes
from paydispatch.domain.operators.diagnosis import Reason, WaitingFlow, of_flow, of_open
from paydispatch.ports import Postponement

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from paydispatch.domain.claims import Claim
    from paydispatch.testing.memory_event_log import MemoryEventLog

LATER_S = 10.0


class Shop:
    """Caller, runner and doctor on one server. They use the machine's clock, because the ids of a stream do."""

    def __init__(self, redis: Any, api_redis: Any, log: MemoryEventLog) -> None:
        clock = SystemClock()
        self.store = RedisRequestStore(api_redis, clock)
        self.redis = redis
        self.outcomes = RedisOutcomes(redis, queue_tenant="local")
        self.requests = RedisRequests(redis, clock, queue_tenant="local")
        self.inbox = RedisInbox(redis, clock, log, consumer="runner", flow_timeout_s=100)
        self.backlog = RedisBacklog(redis, clock)

    async def begin(self, claim: Claim) -> None:
        await self.requests.claim(claim)
        await self.requests.send(claim, send_for())

    async def flows(self) -> list[WaitingFlow]:
        before = time.time() + LATER_S
        return list(await self.backlog.waiting_flows("w1", before=before, at_most=10))

    async def reasons(self) -> list[Reason]:
        now_s = time.time()
        opened = await self.backlog.open_requests("w1", before=now_s + LATER_S, at_most=10)
        waiting = [of_flow(flow, now_s) for flow in await self.flows()]
        return [one.reason for one in (*(of_open(one, now_s) for one in opened), *waiting)]


@pytest.fixture(params=["valkey", "cluster"])
async def shop(request: pytest.FixtureRequest, log: MemoryEventLog) -> AsyncIterator[Shop]:
    url = request.getfixturevalue(request.param).url
    redis, api_redis = connect_async(url), connect(url)
    yield Shop(redis, api_redis, log)
    api_redis.close()
    await redis.aclose()


async def test_a_request_is_reported_from_its_first_attempt_to_the_end_of_its_flow(
    shop: Shop, entry: Any
) -> None:
    claim = claim_for("r1")
    await shop.begin(claim)
    assert await shop.reasons() == [Reason.CALLING]

    await shop.requests.mark_retrying(claim, time.time() + 60, attempts=1)
    assert await shop.reasons() == [Reason.RETRYING]

    await shop.outcomes.publish(entry("r1"))
    assert await shop.reasons() == [Reason.FLOW_PENDING]

    (turn,) = await shop.inbox.take("w1", at_most=10)
    assert await shop.reasons() == [Reason.FLOW_RUNNING]

    await shop.inbox.postpone(turn, 60, Postponement.FAILED)
    assert await shop.reasons() == [Reason.FLOW_POSTPONED]

    await shop.redis.zadd(keys.later("w1"), {turn.entry_id: 0})
    (turn,) = await shop.inbox.take_abandoned("w1", at_most=10)
    await shop.inbox.finish(turn, take_next=False)
    assert await shop.reasons() == []


async def test_a_queued_request_that_no_caller_took_is_on_the_queue(shop: Shop) -> None:
    shop.store.mark_queued([claim_for()])

    assert await shop.reasons() == [Reason.ON_THE_QUEUE]


async def test_another_tenant_s_worker_has_its_own_requests_and_flows(
    shop: Shop, entry: Any
) -> None:
    ours, theirs = claim_for("r1", accepted_at=time.time()), claim_for("r1", tenant="acme")
    shop.store.mark_queued([ours])
    await shop.begin(theirs)
    await shop.outcomes.publish(entry("r2", tenant="acme"))
    before = time.time() + LATER_S

    (opened,) = await shop.backlog.open_requests("acme w1", before=before, at_most=10)
    (flow,) = await shop.backlog.waiting_flows("acme w1", before=before, at_most=10)

    assert sorted(await shop.backlog.workers(at_most=10)) == ["acme w1", "w1"]
    assert (opened.worker_id, opened.request_id, opened.status) == ("acme w1", "r1", "calling")
    assert flow.entry is not None
    assert (flow.worker_id, flow.entry.request_id) == ("acme w1", "r2")
    assert await shop.reasons() == [Reason.ON_THE_QUEUE]


async def test_a_context_s_second_outcome_waits_for_the_first(shop: Shop, entry: Any) -> None:
    for request_id in ("r1", "r2"):
        await shop.outcomes.publish(entry(request_id))
    await shop.inbox.take("w1", at_most=10)

    assert await shop.reasons() == [Reason.FLOW_RUNNING, Reason.FLOW_IN_LINE]


async def test_a_dead_runner_s_entry_is_known_by_its_lost_lease(shop: Shop, entry: Any) -> None:
    await shop.outcomes.publish(entry("r1"))
    await shop.inbox.take("w1", at_most=10)
    await shop.redis.delete(keys.lease("w1", "c1"))

    assert await shop.reasons() == [Reason.RUNNER_DIED]


async def test_younger_requests_and_flows_are_not_reported(shop: Shop, entry: Any) -> None:
    await shop.outcomes.publish(entry("r1"))
    await shop.outcomes.publish(entry("r2", context_id="c2"))
    await shop.inbox.take("w1", at_most=1)
    await shop.begin(claim_for("r3"))
    before = time.time() - LATER_S

    assert await shop.backlog.waiting_flows("w1", before=before, at_most=10) == []
    assert await shop.backlog.open_requests("w1", before=before, at_most=10) == []


async def test_a_stream_s_state_counts_pending_unread_and_dead(shop: Shop, entry: Any) -> None:
    for number in range(4):
        await shop.outcomes.publish(entry(f"r{number}", context_id=f"c{number}"))
    first, _ = await shop.inbox.take("w1", at_most=2)
    await shop.inbox.move_to_dead_stream(first, reason="no script", successor=None, take_next=False)

    state = await shop.backlog.stream("w1")

    assert (state.pending, state.unread, state.dead) == (1, 2, 1)
    assert state.oldest_pending_at is not None
    assert abs(time.time() - state.oldest_pending_at) < LATER_S


async def test_a_dead_flow_has_its_reason(shop: Shop, entry: Any) -> None:
    await shop.outcomes.publish(entry("r1"))
    (turn,) = await shop.inbox.take("w1", at_most=1)
    await shop.inbox.move_to_dead_stream(turn, reason="no script", successor=None, take_next=False)

    (dead,) = await shop.backlog.dead_flows("w1", before=time.time() + LATER_S, at_most=10)

    assert (dead.reason, dead.entry) == ("no script", turn.entry)


async def test_an_unreadable_entry_is_reported(shop: Shop, entry: Any) -> None:
    await shop.outcomes.publish(entry("r1"))
    await shop.redis.xadd(keys.outcomes("w1"), {"entry": "nonsense"})

    assert await shop.reasons() == [Reason.FLOW_PENDING, Reason.UNREADABLE]


async def test_a_worker_without_a_stream_has_nothing(shop: Shop) -> None:
    assert await shop.flows() == []
    assert (await shop.backlog.stream("w1")).oldest_pending_at is None


async def test_the_queues_are_counted(aws: Any) -> None:
    sqs = aws("sqs")
    url = sqs.create_queue(QueueName="main")["QueueUrl"]
    for delay_s in (0, 0, 60):
        sqs.send_message(QueueUrl=url, MessageBody="{}", DelaySeconds=delay_s)
    sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1)

    (depth,) = await SqsDepths(sqs, {"interactive": url}).depths()

    assert (depth.name, depth.waiting, depth.in_flight, depth.delayed) == ("interactive", 1, 1, 1)


async def test_only_workers_with_waiting_work_are_reported(shop: Shop, entry: Any) -> None:
    await shop.begin(claim_for("r1", worker_id="open", worker_slot="open"))
    await shop.outcomes.publish(entry("r2", worker_id="unread"))
    await shop.outcomes.publish(entry("r3", worker_id="finished"))
    (turn,) = await shop.inbox.take("finished", at_most=1)
    await shop.inbox.finish(turn, take_next=False)
    await shop.redis.xadd(keys.dead("dead"), {"reason": "no"})
    await shop.redis.zadd(keys.LOOKS, {"dead": 0, **{f"idle-{n}": 0 for n in range(1_000)}})

    assert await shop.backlog.workers(at_most=10) == ["dead", "open", "unread"]
    assert len(await shop.backlog.workers(at_most=2)) == 2


async def test_the_eviction_policy_is_reported(shop: Shop) -> None:
    assert await shop.backlog.eviction_policy() == "noeviction"
