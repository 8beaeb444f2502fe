"""Times that stand both in template.yaml and in the domain: a change of one must change the other."""

from __future__ import annotations

import re

import pytest
from stack_template import load

from paydispatch.domain.limits import REMEMBER_S
from paydispatch.domain.operators.diagnosis import (
    CALLER_TIMEOUT_S,
    RECONCILE_EVERY_S,
    REQUEST_VISIBILITY_TIMEOUT_S,
    SWEEP_EVERY_S,
)
from paydispatch.domain.unknown_outcomes import LAST_CALL_S

STACK = load()
REQUEST_QUEUES = ("RequestQueue", "BatchQueue")
UNITS_S = {"minute": 60, "hour": 3_600, "day": 86_400}


def read_schedule_s(function: str) -> int:
    """Return the interval of the only schedule that invokes `function`: `rate(1 hour)` is 3,600."""
    [schedule] = (
        event["Properties"]["Schedule"]
        for event in STACK.functions[function]["Events"].values()
        if event["Type"] == "Schedule"
    )
    rate = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", schedule)
    assert rate is not None, schedule
    return int(rate[1]) * UNITS_S[rate[2]]


def test_diagnosis_knows_the_timeout_of_the_stripe_caller() -> None:
    assert STACK.functions["StripeCallerFunction"]["Timeout"] == CALLER_TIMEOUT_S


@pytest.mark.parametrize("queue", REQUEST_QUEUES)
def test_diagnosis_knows_the_visibility_timeout_of_the_request_queues(queue: str) -> None:
    assert STACK.queues[queue]["VisibilityTimeout"] == REQUEST_VISIBILITY_TIMEOUT_S


def test_diagnosis_knows_the_schedule_of_the_flow_runner_s_sweep() -> None:
    assert read_schedule_s("FlowRunnerFunction") == SWEEP_EVERY_S


def test_diagnosis_knows_the_schedule_of_the_reconciler() -> None:
    assert read_schedule_s("ReconcileFunction") == RECONCILE_EVERY_S


def test_a_post_ends_before_its_absence_is_proof() -> None:
    assert STACK.functions["StripeCallerFunction"]["Timeout"] <= LAST_CALL_S


def test_redis_remembers_a_request_whose_message_went_through_the_exhausted_queue() -> None:
    """SQS moves a message there with its age. The caller parks it as a new message."""
    kept_s = sum(
        STACK.queues[name]["MessageRetentionPeriod"]
        for name in ("ExhaustedQueue", "RequestDeadLetterQueue")
    )

    assert kept_s < REMEMBER_S


@pytest.mark.parametrize("queue", REQUEST_QUEUES)
def test_redis_remembers_a_request_for_longer_than_its_message_can_exist(queue: str) -> None:
    """A message has both retention periods at most, the second one on the dead-letter queue."""
    queues = (queue, "RequestDeadLetterQueue")
    kept_s = sum(STACK.queues[name]["MessageRetentionPeriod"] for name in queues)

    assert kept_s < REMEMBER_S
