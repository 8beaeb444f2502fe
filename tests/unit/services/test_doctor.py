"""`Doctor` reports every request and flow that waits too long, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.examples import NOW_S, entry, make_failure

from paydispatch.domain.looks.doubts import Doubt, Place
from paydispatch.domain.operators.dead_flows import DeadFlow
from paydispatch.domain.operators.diagnosis import OpenRequest, Reason, WaitingFlow
from paydispatch.domain.operators.holds import ALL_ACCOUNTS, HoldKind
from paydispatch.domain.outcomes import Certainty, Response
from paydispatch.domain.rates.feedback import Feedback
from paydispatch.domain.rates.lanes import RateLane
from paydispatch.domain.rates.tokens import Granted, TokenAsk
from paydispatch.ports import QueueDepth
from paydispatch.services.doctor import WORKERS, Diagnosis, Doctor
from paydispatch.services.looks.report_looks import PlaceLooks
from paydispatch.testing.memory_clock import MemoryClock
from paydispatch.testing.memory_doubts import MemoryDoubts
from paydispatch.testing.memory_limiter import MemoryKeyBreakers, MemoryLimitBoard, MemoryLimiter
from paydispatch.testing.memory_operations import (
    MemoryBacklog,
    MemoryQueueDepths,
    MemoryUnknownOutcomes,
)
from paydispatch.testing.memory_outcomes import MemoryOutcomes

if TYPE_CHECKING:
    from paydispatch.domain.unknown_outcomes import UnknownOutcome

DEPTH = QueueDepth(name="dead letters", waiting=3, in_flight=0, delayed=0)


class DoctorSystem:
    """A doctor over in-memory ports."""

    def __init__(self) -> None:
        self.clock = MemoryClock()
        self.backlog = MemoryBacklog()
        self.outcomes = MemoryOutcomes(self.clock)
        self.limiter = MemoryLimiter(self.clock)
        self.breakers = MemoryKeyBreakers(self.clock)
        self.limits = MemoryLimitBoard(self.limiter, self.breakers)
        self.doubts = MemoryDoubts(self.clock)
        self.ends = MemoryUnknownOutcomes(self.outcomes)

    async def examine(self, older_than_s: float = 300.0) -> Diagnosis:
        depths = MemoryQueueDepths(DEPTH)
        doctor = Doctor(self.backlog, self.ends, depths, self.limits, self.doubts, self.clock)
        return await doctor.examine(older_than_s=older_than_s)

    def add_open(self, request_id: str, age_s: float, **fields: Any) -> None:
        known = {"worker_id": "worker-1", "known_since": NOW_S - age_s, **fields}
        self.backlog.open.append(OpenRequest(request_id=request_id, **known))

    async def publish_unknown(self, request_id: str, age_s: float) -> None:
        unknown = make_failure(certainty=Certainty.UNKNOWN)
        await self.outcomes.publish(
            entry(request_id=request_id, outcome=unknown, settled_at=NOW_S - age_s)
        )

    def add_waiting(self, request_id: str, age_s: float) -> None:
        waiting = WaitingFlow(
            worker_id="worker-1",
            entry_id="1-0",
            entry=entry(request_id=request_id),
            published_at=NOW_S - age_s,
            delivered=False,
        )
        self.backlog.waiting.append(waiting)


@pytest.fixture
def system() -> DoctorSystem:
    return DoctorSystem()


async def test_a_system_without_waiting_requests_is_healthy(system: DoctorSystem) -> None:
    diagnosis = await system.examine()

    assert diagnosis.healthy
    assert diagnosis.queues == [DEPTH]


async def test_what_stops_calls_is_reported_and_unhealthy(system: DoctorSystem) -> None:
    await system.limits.pause("live acct_1", RateLane.BATCH, by="alice")
    await system.limits.pause(None, None, by="bob")
    await system.breakers.open("ab" * 32, "create_product")

    diagnosis = await system.examine()

    assert not diagnosis.healthy
    assert [(hold.kind, hold.subject, hold.since_s) for hold in diagnosis.holds] == [
        (HoldKind.PAUSED, ALL_ACCOUNTS, NOW_S),
        (HoldKind.PAUSED, "live acct_1", NOW_S),
        (HoldKind.KEY_BREAKER, "key abababababab", NOW_S),
    ]


async def test_a_limit_that_shrank_is_reported_and_healthy(system: DoctorSystem) -> None:
    ask = TokenAsk(
        account="live acct_1",
        operation="create_product",
        lane=RateLane.INTERACTIVE,
        longest_wait_s=1.0,
    )
    granted = await system.limiter.take(ask)
    assert isinstance(granted, Granted)
    await system.limiter.report(granted, Feedback.OPERATION_RATE)

    diagnosis = await system.examine()

    assert diagnosis.healthy
    (hold,) = diagnosis.holds
    assert (hold.kind, hold.subject) == (HoldKind.SHRUNK, "live acct_1")


async def test_a_wait_shorter_than_the_limit_is_not_reported(system: DoctorSystem) -> None:
    system.add_open("pdr_1", 299)
    system.add_waiting("pdr_2", 299)

    assert (await system.examine()).healthy
    assert not (await system.examine(older_than_s=299)).healthy


async def test_each_kind_of_wait_is_reported_with_the_longest_first(system: DoctorSystem) -> None:
    system.add_open("pdr_queue", 400, status="dispatched")
    system.add_waiting("pdr_flow", 500)
    dead = entry(request_id="pdr_dead")
    system.backlog.dead.append(
        DeadFlow(worker_id="worker-1", entry=dead, reason="no", dead_since=NOW_S - 600)
    )
    await system.publish_unknown("pdr_unknown", 700)

    diagnosis = await system.examine()

    assert [(one.request_id, one.reason) for one in diagnosis.findings] == [
        ("pdr_unknown", Reason.UNKNOWN),
        ("pdr_dead", Reason.FLOW_DEAD),
        ("pdr_flow", Reason.FLOW_PENDING),
        ("pdr_queue", Reason.ON_THE_QUEUE),
    ]


async def test_a_settled_outcome_that_reconcile_has_not_dropped_yet_waits_for_nothing(
    system: DoctorSystem,
) -> None:
    await system.publish_unknown("pdr_1", 700)
    settled = replace(system.outcomes.entries[0], outcome=Response(body={}, attempts=1))
    await system.outcomes.publish(settled)

    assert (await system.examine()).findings == []


class OneUnreadable(MemoryUnknownOutcomes):
    """An index of unknown outcomes with one entry that cannot be read."""

    async def read(self, worker_id: str, request_id: str) -> UnknownOutcome | None:
        if request_id == "pdr_unreadable":
            raise ValueError("no outcome entry")
        return await super().read(worker_id, request_id)


async def test_an_unreadable_outcome_is_reported_and_hides_no_other(system: DoctorSystem) -> None:
    system.ends = OneUnreadable(system.outcomes)
    system.add_open("pdr_queue", 400, status="dispatched")
    await system.publish_unknown("pdr_unreadable", 800)
    await system.publish_unknown("pdr_unknown", 700)

    findings = {one.request_id: one for one in (await system.examine()).findings}

    assert {id_: one.reason for id_, one in findings.items()} == {
        "pdr_queue": Reason.ON_THE_QUEUE,
        "pdr_unknown": Reason.UNKNOWN,
        "pdr_unreadable": Reason.UNREADABLE,
    }
    assert findings["pdr_unreadable"].next_step


async def test_streams_with_old_or_dead_entries_are_reported(system: DoctorSystem) -> None:
    system.add_waiting("pdr_1", 500)

    (stream,) = (await system.examine()).streams

    assert (stream.worker_id, stream.unread, stream.dead) == ("worker-1", 1, 0)


@pytest.mark.parametrize(
    ("policy", "healthy"), [("noeviction", True), (None, True), ("volatile-lru", False)]
)
async def test_a_redis_that_evicts_is_reported(
    system: DoctorSystem, policy: str | None, healthy: bool
) -> None:
    system.backlog.policy = policy

    diagnosis = await system.examine()

    assert (diagnosis.eviction_policy, diagnosis.healthy) == (policy, healthy)


async def test_a_thousand_workers_are_examined_and_more_are_mentioned(
    system: DoctorSystem,
) -> None:
    for number in range(WORKERS + 1):
        system.add_open(f"pdr_{number}", 400, worker_id=f"worker-{number:05}")

    diagnosis = await system.examine()

    assert len(diagnosis.findings) == WORKERS
    assert diagnosis.more_workers


async def test_the_unknown_requests_of_a_place_are_counted_with_their_next_look(
    system: DoctorSystem,
) -> None:
    place = Place("live acct_1", "payment_intent")
    for number in range(3):
        doubt = Doubt("worker-1", f"pdr_{number}", NOW_S - 60)
        await system.doubts.note(place, doubt, due_at=NOW_S + 10 + number)
    await system.doubts.lease(place, "a", 60, {"pages": 7})
    (looks,) = (await system.examine()).looks
    assert looks == PlaceLooks("live acct_1", "payment_intent", 3, NOW_S - 60, None, NOW_S + 10, 7)
