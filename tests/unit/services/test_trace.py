"""`trace_of` tells the path of a request from its acceptance to the end of its flow and its follow-ups."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.examples import (
    CREATED,
    IN_AN_HOUR,
    KEY,
    NO_CONNECTION,
    NOW_S,
    TIMED_OUT,
    TRACE_ID,
    TRACEPARENT,
    entry,
    envelope,
    make_failure,
    make_success,
)

from paydispatch.domain.claims import claim_of
from paydispatch.domain.identity.request_ids import OutcomeKind, follow_up_request_id
from paydispatch.domain.limits import MOST_ATTEMPTS
from paydispatch.domain.operators.traces import Finished, SlotTimes
from paydispatch.domain.outcomes import Certainty, ErrorKind
from paydispatch.ports import RequestRecord, TracedRequest
from paydispatch.services.trace import HopKind, Trace, TracePorts, format_trace, trace_of
from paydispatch.testing.memory_inbox import MemoryInbox
from paydispatch.testing.memory_limiter import MemoryLimitBoard
from paydispatch.testing.memory_traces import MemoryTraces

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.unit.services.conftest import Caller

    from paydispatch.domain.entry import OutcomeEntry
    from paydispatch.domain.operators.traces import FlowPath

SUCCESS = make_success(stripe_request_id="req_1")


class Path:
    """A caller and a runner in memory, and the trace of what they did."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.inbox = MemoryInbox(caller.clock)
        board = MemoryLimitBoard(caller.limiter, caller.key_breakers)
        traces = MemoryTraces(caller.requests.store, self.inbox)
        self.ports = TracePorts(traces=traces, doubts=caller.doubts, limits=board)

    async def publish(self, outcome: OutcomeEntry) -> None:
        outcome = replace(outcome, fingerprint="f1:tea", accepted_at=NOW_S)
        await self.caller.outcomes.publish(outcome)
        self.inbox.put(outcome)
        await self.caller.requests.write_status(outcome)

    async def trace(self, request_id: str = "pdr_1", tenant: str = "local") -> Trace:
        found = await trace_of(self.ports, request_id, tenant=tenant, queue_tenant="local")
        assert found is not None
        return found


@pytest.fixture
def path(caller: Caller) -> Path:
    return Path(caller)


def kinds(trace: Trace) -> list[str]:
    return [hop.kind.value for hop in trace.hops]


async def test_a_request_of_another_tenant_has_no_path(path: Path) -> None:
    await path.caller.requests.claim(claim_of(envelope(), "local", NOW_S))
    assert await trace_of(path.ports, "pdr_1", tenant="acme", queue_tenant="local") is None
    assert await trace_of(path.ports, "pdr_2", tenant="local", queue_tenant="local") is None


async def test_no_tenant_reads_the_path_of_another_tenant_by_naming_its_slot(path: Path) -> None:
    claim = replace(claim_of(envelope(), "local", NOW_S), slot="acme pdr_1", tenant="acme")
    await path.caller.requests.claim(claim)
    assert await trace_of(path.ports, "acme pdr_1", tenant="local", queue_tenant="local") is None


async def test_a_call_is_told_from_its_acceptance_to_its_answer(path: Path, caller: Caller) -> None:
    caller.answers(NO_CONNECTION, CREATED)
    await caller.receive(envelope(traceparent=TRACEPARENT))
    for published in caller.outcomes.entries:
        path.inbox.put(published)

    trace = await path.trace()

    assert kinds(trace) == ["accepted", "received", "sent", "answered", "published"]
    assert trace.record.status == "succeeded"
    answered = next(hop for hop in trace.hops if hop.kind is HopKind.ANSWERED)
    assert answered.stripe_request_id == "req_1"
    assert trace.trace_id == TRACE_ID
    assert [flow.state.name for flow in trace.flows] == ["not_read"]


async def test_an_end_without_an_answer_is_not_called_an_answer(path: Path) -> None:
    late = make_failure(kind=ErrorKind.DISPATCHER, certainty=Certainty.NOT_CREATED)
    await path.publish(entry(outcome=late))
    assert kinds(await path.trace()) == ["accepted", "ended", "published"]


async def test_an_unknown_outcome_says_what_can_prove_it_and_when_looks_come(
    path: Path, caller: Caller
) -> None:
    caller.answers(TIMED_OUT)
    caller.lists.away = True
    await caller.receive(envelope(progress=replace(IN_AN_HOUR, attempt=MOST_ATTEMPTS)))
    trace = await path.trace()
    assert trace.record.status == "unknown", kinds(trace)
    assert trace.times.in_doubt
    assert trace.proven_by
    assert trace.looks is not None
    assert trace.looks.unknown == 1
    assert "unknown" in kinds(trace)


async def test_a_request_that_waits_says_what_holds_it_back(path: Path, caller: Caller) -> None:
    board = path.ports.limits
    await board.pause(None, None, by="Ada")
    await caller.receive(envelope())
    trace = await path.trace()
    assert trace.record.waiting is not None
    assert [hold.kind.value for hold in trace.held_back_by] == ["paused"]


@pytest.mark.parametrize("kind", OutcomeKind)
async def test_follow_ups_are_found_by_their_ids(
    path: Path, caller: Caller, kind: OutcomeKind
) -> None:
    await path.publish(entry(outcome=SUCCESS))
    ids = [follow_up_request_id("pdr_1", number, kind) for number in (1, 2, *range(4, 13))]
    for id_ in ids:
        await caller.requests.claim(claim_of(envelope(request_id=id_), "local", NOW_S))

    trace = await path.trace()

    found = [one.request_id for one in trace.follow_ups]
    assert found == ids[:-2], "the third is not received yet, and ends the first ten"
    assert {one.status for one in trace.follow_ups} == {"dispatched"}


async def test_a_finished_flow_has_its_time_and_its_runs(path: Path, caller: Caller) -> None:
    await path.publish(entry(outcome=SUCCESS))
    (turn,) = await path.inbox.take("worker-1", at_most=1)
    await caller.clock.sleep(3)
    await path.inbox.finish(turn, take_next=False)
    (flow,) = (await path.trace()).flows
    assert flow.state == Finished(NOW_S + 3, 1)


class StoredTimes:
    """A `Traces` with one request."""

    def __init__(self, times: SlotTimes, attempts: int) -> None:
        self.times = times
        self.attempts = attempts

    async def request(self, slot: str) -> TracedRequest:
        record = RequestRecord(
            request_id=slot,
            tenant="local",
            object="product",
            operation="create_product",
            worker_id="w",
            context_id="c",
            status="calling",
            attempts=self.attempts,
        )
        return TracedRequest(record=record, times=self.times)

    async def flows(self, _worker: str, _request_id: str) -> Sequence[FlowPath]:
        return []

    async def statuses(self, slots: Sequence[str]) -> Sequence[str | None]:
        return [None] * len(slots)


@pytest.mark.parametrize(
    ("times", "attempts", "sends"),
    [
        ({}, 0, []),
        ({"first_sent_at": 1.0, "last_sent_at": 1.0}, 2, [(1.0, 2)]),
        ({"first_sent_at": 1.0, "last_sent_at": 9.0}, 4, [(1.0, None), (9.0, 4)]),
        ({"first_sent_at": 1.0}, 1, [(1.0, None)]),
    ],
    ids=["never sent", "sent once", "sent again before sends were kept", "sent by a message"],
)
async def test_only_sends_whose_time_is_kept_are_told(
    path: Path, times: dict[str, Any], attempts: int, sends: list[tuple[float, int | None]]
) -> None:
    ports = replace(path.ports, traces=StoredTimes(SlotTimes(**times), attempts))
    trace = await trace_of(ports, "pdr_1", tenant="local", queue_tenant="local")
    assert trace is not None
    assert [(hop.at, hop.attempt) for hop in trace.hops] == sends


async def test_as_json_it_has_no_key_no_parameters_and_no_account(path: Path) -> None:
    await path.publish(entry(outcome=SUCCESS, params={"description": "hush"}, sealed_secret=KEY))
    shown = format_trace(await path.trace())
    assert shown["flows"][0]["flow"] == "new_create_payment_intent_response"
    assert shown["hops"][0]["hop"] == "accepted"
    assert KEY not in repr(shown)
    assert "hush" not in repr(shown)
