"""The retry decision beyond its table: guards, backoff, and the error that a flow receives."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.examples import (
    DECLINED,
    IN_AN_HOUR,
    NO_CONNECTION,
    NOW_S,
    TIMED_OUT,
    make_refusal,
)

from paydispatch.domain.attempts import Answered, Attempt, NotSent, RefusedInFront, Unknown
from paydispatch.domain.claims import SlotState
from paydispatch.domain.limits import HORIZON_S, MOST_ATTEMPTS
from paydispatch.domain.outcomes import Certainty, Error, ErrorKind
from paydispatch.domain.progress import Progress
from paydispatch.domain.retry import (
    BACKOFF_BASE_S,
    BACKOFF_LONGEST_S,
    Again,
    GivenUp,
    Settled,
    backoff_s,
    decide,
    may_send,
    merge_history,
    past_horizon,
    store_backoff_s,
)

fractions = st.floats(0, 1, exclude_max=True)
codes = st.sampled_from([None, "lock_timeout", "idempotency_key_in_use", "rate_limit"])
errors = st.fixed_dictionaries({"code": codes, "message": st.text()})
says = st.sampled_from([None, True, False])
no_answers = st.one_of(
    st.builds(NotSent, reason=st.text()),
    st.builds(
        RefusedInFront, st.integers(400, 499), error=errors, should_retry=says,
        stripe_request_id=st.none(),
    ),
    st.builds(
        Unknown, reason=st.text(), code=st.just("timeout"), http_status=st.integers(500, 599),
        should_retry=says,
    ),
)  # fmt: skip
answers = st.builds(
    Answered,
    st.sampled_from([200, 400, 402]),
    body=st.fixed_dictionaries({"error": errors}),
    stripe_request_id=st.none(),
)
progresses = st.builds(
    Progress,
    deadline_at=st.floats(NOW_S - 100_000, NOW_S + 100_000),
    attempt=st.integers(1, MOST_ATTEMPTS),
    maybe_executed=st.booleans(),
    first_sent_at=st.none() | st.floats(NOW_S - 2 * HORIZON_S, NOW_S),
)


@given(attempt=st.integers(1, 10_000), fraction=fractions)
def test_the_delay_lies_between_zero_and_the_capped_doubling(attempt: int, fraction: float) -> None:
    doublings = min(attempt - 1, 100)  # far past the cap, and still a float
    longest = min(BACKOFF_LONGEST_S, BACKOFF_BASE_S * 2**doublings)
    assert 0 <= backoff_s(attempt, fraction) <= longest


@given(attempt=no_answers, progress=progresses, fraction=fractions)
def test_every_wait_ends_before_the_deadline_and_counts_one_attempt(
    attempt: Attempt, progress: Progress, fraction: float
) -> None:
    decision = decide(attempt, progress, NOW_S, fraction)
    if isinstance(decision, Again):
        assert decision.delay_s >= 0
        assert NOW_S + decision.delay_s < progress.deadline_at
        assert decision.progress.attempt == progress.attempt + 1 <= MOST_ATTEMPTS
        assert decision.progress.first_sent_at == progress.first_sent_at


@given(attempt=no_answers, progress=progresses, fraction=fractions)
def test_the_latch_is_never_undone_without_an_answer(
    attempt: Attempt, progress: Progress, fraction: float
) -> None:
    decision = decide(attempt, replace(progress, maybe_executed=True), NOW_S, fraction)
    if isinstance(decision, Again):
        assert decision.progress.maybe_executed
    else:
        assert isinstance(decision, GivenUp)
        assert decision.outcome.certainty is Certainty.UNKNOWN


@given(attempt=answers, progress=progresses, fraction=fractions)
def test_an_answer_always_settles(attempt: Attempt, progress: Progress, fraction: float) -> None:
    decision = decide(attempt, progress, NOW_S, fraction)
    assert isinstance(decision, Settled)
    assert decision.outcome.settled


@given(progress=progresses, now_s=st.floats(NOW_S - 1000, NOW_S + 200_000))
def test_nothing_is_sent_past_the_horizon_the_deadline_or_the_attempts(
    progress: Progress, now_s: float
) -> None:
    if may_send(progress, now_s) is None:
        assert progress.first_sent_at is None or now_s - progress.first_sent_at < HORIZON_S
        assert now_s < progress.deadline_at
        assert progress.attempt <= MOST_ATTEMPTS


@given(progress=progresses)
def test_a_guard_never_says_not_created_for_a_latched_request(progress: Progress) -> None:
    refusal = may_send(progress, NOW_S)
    if refusal is not None and progress.maybe_executed:
        assert refusal.outcome.certainty is Certainty.UNKNOWN


def test_a_request_with_time_left_may_be_sent() -> None:
    assert may_send(IN_AN_HOUR, NOW_S) is None


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"first_sent_at": NOW_S - HORIZON_S}, "horizon_passed"),
        ({"deadline_at": NOW_S}, "deadline_exceeded"),
        ({"attempt": MOST_ATTEMPTS + 1}, "attempts_exhausted"),
    ],
)
def test_each_guard_has_its_own_code(changes: dict[str, Any], code: str) -> None:
    refusal = may_send(replace(IN_AN_HOUR, **changes), NOW_S)
    assert refusal is not None
    assert (refusal.outcome.code, refusal.outcome.kind) == (code, ErrorKind.HTTP)


def test_the_horizon_is_reached_23_hours_after_the_first_post() -> None:
    assert not past_horizon(NOW_S - 23 * 3600 + 1, NOW_S)
    assert past_horizon(NOW_S - 23 * 3600, NOW_S)
    assert not past_horizon(None, NOW_S)


def test_the_last_attempt_is_not_followed_by_another() -> None:
    decision = decide(NO_CONNECTION, replace(IN_AN_HOUR, attempt=MOST_ATTEMPTS), NOW_S, 0.0)
    assert isinstance(decision, GivenUp)
    assert decision.outcome.attempts == MOST_ATTEMPTS


def test_the_history_in_the_slot_is_merged_into_the_progress() -> None:
    carried = replace(IN_AN_HOUR, first_sent_at=NOW_S + 60)
    state = SlotState(owned=True, first_sent_at=NOW_S, last_sent_at=NOW_S + 90, open_sends=1)
    merged = merge_history(carried, state)
    assert (merged.first_sent_at, merged.last_sent_at) == (NOW_S, NOW_S + 90)
    assert merged.maybe_executed
    assert not merge_history(carried, SlotState(owned=True)).maybe_executed


@pytest.mark.parametrize("fraction", [0.0, 0.5, 0.999])
def test_a_wait_for_a_store_grows_and_is_never_short(fraction: float) -> None:
    waits = [store_backoff_s(count, fraction) for count in range(40)]
    assert waits == sorted(waits)
    assert waits[0] >= 2.5
    assert waits[-1] <= BACKOFF_LONGEST_S


def test_the_error_of_a_declined_card_has_every_field_of_the_answer() -> None:
    decision = decide(DECLINED, IN_AN_HOUR, NOW_S, 0.5)
    assert isinstance(decision, Settled)
    assert decision.outcome == Error(
        kind=ErrorKind.API,
        message="Your card has insufficient funds.",
        attempts=1,
        certainty=Certainty.NOT_CREATED,
        code="card_declined",
        type="card_error",
        decline_code="insufficient_funds",
        param="payment_method",
        http_status=402,
        stripe_request_id="req_3",
        answered=True,
    )


def test_a_refusal_without_a_message_still_has_one() -> None:
    decision = decide(Answered(402, {}, None), IN_AN_HOUR, NOW_S, 0.5)
    assert isinstance(decision, Settled)
    assert isinstance(decision.outcome, Error)
    assert "402" in decision.outcome.message


def test_a_request_out_of_time_is_an_http_error_with_its_last_reason() -> None:
    spent = replace(IN_AN_HOUR, deadline_at=NOW_S, attempt=7)
    decision = decide(TIMED_OUT, spent, NOW_S, 0.0)
    assert isinstance(decision, GivenUp)
    assert (decision.outcome.kind, decision.outcome.code) == (ErrorKind.HTTP, "timeout")
    assert decision.outcome.attempts == 7
    assert "no answer within 80 s" in decision.outcome.message


def test_a_rate_limited_request_out_of_time_names_stripes_reason() -> None:
    spent = replace(IN_AN_HOUR, deadline_at=NOW_S)
    decision = decide(make_refusal(429, code="rate_limit", message="slow down"), spent, NOW_S, 0.0)
    assert isinstance(decision, GivenUp)
    assert (decision.outcome.code, decision.outcome.http_status) == ("rate_limit", 429)
    assert "slow down" in decision.outcome.message
