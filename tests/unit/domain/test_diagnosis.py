"""The reason for which a request waits, and its next step, in each state."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.examples import NOW_S, entry, make_failure

from paydispatch.domain.limits import HORIZON_S, LONGEST_DEADLINE_S, REMEMBER_S
from paydispatch.domain.operators.dead_flows import DeadFlow
from paydispatch.domain.operators.diagnosis import (
    CALLER_TIMEOUT_S,
    RECONCILE_EVERY_S,
    REQUEST_VISIBILITY_TIMEOUT_S,
    SWEEP_EVERY_S,
    Finding,
    OpenRequest,
    Reason,
    WaitingFlow,
    of_dead,
    of_flow,
    of_open,
    of_unknown,
    of_unreadable_outcome,
    open_since,
)
from paydispatch.domain.outcomes import Certainty
from paydispatch.domain.rates.tokens import Why
from paydispatch.domain.rates.waiting import Waiting
from paydispatch.domain.requests import Lane
from paydispatch.domain.unknown_outcomes import LAST_CALL_S, UnknownOutcome


def open_request(**changes: Any) -> Finding:
    fields = {"request_id": "pdr_1", "worker_id": "worker-1", "known_since": NOW_S - 600}
    return of_open(OpenRequest(**{**fields, **changes}), NOW_S)


def flow(**changes: Any) -> Finding:
    fields: dict[str, Any] = {
        "worker_id": "worker-1",
        "entry_id": "1-0",
        "entry": entry(),
        "published_at": NOW_S - 600,
        "delivered": True,
        "runs": 2,
    }
    return of_flow(WaitingFlow(**{**fields, **changes}), NOW_S)


CALLED = NOW_S - CALLER_TIMEOUT_S
LONG_DEAD = NOW_S - REQUEST_VISIBILITY_TIMEOUT_S


@pytest.mark.parametrize(
    ("facts", "reason", "expected_at"),
    [
        ({"status": "dispatched"}, Reason.ON_THE_QUEUE, None),
        (
            {"status": "calling", "begun_at": NOW_S - 1},
            Reason.CALLING,
            NOW_S - 1 + CALLER_TIMEOUT_S,
        ),
        (
            {"status": "calling", "begun_at": CALLED},
            Reason.CALLER_DIED,
            CALLED + REQUEST_VISIBILITY_TIMEOUT_S,
        ),
        ({"status": "calling", "begun_at": LONG_DEAD}, Reason.CALLER_DIED, None),
        ({"status": "retrying", "retry_at": NOW_S + 30}, Reason.RETRYING, NOW_S + 30),
        ({"status": "retrying", "retry_at": NOW_S - 30}, Reason.RETRYING, NOW_S - 30),
        ({}, Reason.NOT_KNOWN, None),
        ({"status": "calling"}, Reason.NOT_KNOWN, None),
    ],
)
def test_a_request_without_an_outcome_has_a_reason_and_an_expected_time(
    facts: dict[str, Any], reason: Reason, expected_at: float | None
) -> None:
    finding = open_request(**facts)

    assert (finding.reason, finding.expected_at) == (reason, expected_at)
    assert finding.since == NOW_S - 600
    assert finding.next_step


def test_a_request_that_waits_for_more_than_its_next_attempt_says_why() -> None:
    paused = Waiting(why=Why.PAUSED, lane=Lane.BATCH)
    finding = open_request(status="retrying", retry_at=NOW_S + 30, waiting=paused)
    assert "lane batch is paused" in finding.detail


def test_an_overdue_attempt_is_called_overdue() -> None:
    assert "overdue" in open_request(status="retrying", retry_at=NOW_S - 30).next_step
    assert "overdue" not in open_request(status="retrying", retry_at=NOW_S + 30).next_step


@pytest.mark.parametrize(
    ("facts", "reason", "expected_at"),
    [
        ({"delivered": False}, Reason.FLOW_PENDING, NOW_S + SWEEP_EVERY_S),
        ({"first_of_context": False}, Reason.FLOW_IN_LINE, None),
        ({"due_at": NOW_S + 9}, Reason.FLOW_POSTPONED, NOW_S + 9),
        ({"lease_until": NOW_S + 20}, Reason.FLOW_RUNNING, NOW_S + 20),
        ({"due_at": NOW_S - 9}, Reason.FLOW_PENDING, NOW_S + SWEEP_EVERY_S),
        ({}, Reason.RUNNER_DIED, NOW_S + SWEEP_EVERY_S),
        ({"entry": None}, Reason.UNREADABLE, None),
    ],
)
def test_an_unfinished_flow_has_a_reason_and_an_expected_time(
    facts: dict[str, Any], reason: Reason, expected_at: float | None
) -> None:
    finding = flow(**facts)

    assert (finding.reason, finding.expected_at) == (reason, expected_at)


def test_the_finding_of_a_flow_names_its_run() -> None:
    assert flow().detail == "new_create_payment_intent_response, run 2"


def test_the_finding_of_a_dead_flow_has_its_reason() -> None:
    dead = DeadFlow(worker_id="worker-1", entry=entry(), reason="ValueError: no", dead_since=NOW_S)

    finding = of_dead(dead)

    assert (finding.request_id, finding.reason) == ("pdr_1", Reason.FLOW_DEAD)
    assert finding.detail == "new_create_payment_intent_response: ValueError: no"


@pytest.mark.parametrize(
    ("first_sent_at", "expected_at"),
    [(NOW_S, NOW_S + HORIZON_S + LAST_CALL_S + RECONCILE_EVERY_S), (None, None)],
)
def test_an_unknown_outcome_waits_for_reconcile(
    first_sent_at: float | None, expected_at: float | None
) -> None:
    unknown = entry(outcome=make_failure(certainty=Certainty.UNKNOWN), first_sent_at=first_sent_at)

    finding = of_unknown(UnknownOutcome(unknown), NOW_S)

    assert (finding.reason, finding.expected_at) == (Reason.UNKNOWN, expected_at)


def test_the_next_step_of_an_overdue_unknown_outcome_is_reconcile() -> None:
    unknown = entry(outcome=make_failure(certainty=Certainty.UNKNOWN), first_sent_at=NOW_S)

    assert "says why" in of_unknown(UnknownOutcome(unknown), NOW_S + 2 * HORIZON_S).next_step


def test_an_unreadable_unknown_outcome_names_its_worker_and_request() -> None:
    finding = of_unreadable_outcome("worker-1", "pdr_1", NOW_S)

    assert (finding.worker_id, finding.request_id) == ("worker-1", "pdr_1")
    assert finding.reason is Reason.UNREADABLE
    assert "by hand" in finding.next_step


@pytest.mark.parametrize("accepted_at", [0.0, NOW_S - REMEMBER_S, NOW_S - 60, NOW_S, NOW_S + 1e9])
def test_an_open_request_is_listed_as_long_as_it_may_be_tried(accepted_at: float) -> None:
    since = open_since(accepted_at, NOW_S)

    assert since <= NOW_S
    assert since + REMEMBER_S >= NOW_S + LONGEST_DEADLINE_S


def test_a_plausible_time_of_acceptance_is_kept() -> None:
    assert open_since(NOW_S - 86_400, NOW_S) == NOW_S - 86_400


def test_an_unknown_outcome_of_another_tenant_is_shown_under_the_slot_of_its_worker() -> None:
    unknown = entry(outcome=make_failure(certainty=Certainty.UNKNOWN), tenant="acme")

    finding = of_unknown(UnknownOutcome(unknown, "acme worker-1"), NOW_S)

    assert finding.worker_id == "acme worker-1"


def test_each_finding_names_the_operation() -> None:
    capture = entry(operation="capture_payment_intent", path={"intent": "pi_1"})
    assert open_request(operation="capture_payment_intent").operation == "capture_payment_intent"
    assert flow(entry=capture).operation == "capture_payment_intent"
    dead = of_dead(
        DeadFlow(worker_id="worker-1", entry=capture, reason="it raised", dead_since=NOW_S)
    )
    assert dead.operation == "capture_payment_intent"


def test_the_next_step_of_an_operation_that_is_no_create_speaks_of_no_create() -> None:
    lost = make_failure(certainty=Certainty.UNKNOWN)
    capture = entry(operation="capture_payment_intent", path={"intent": "pi_1"}, outcome=lost)
    finding = of_unknown(UnknownOutcome(capture), NOW_S)
    assert finding.operation == "capture_payment_intent"
    assert "executed" in finding.next_step
