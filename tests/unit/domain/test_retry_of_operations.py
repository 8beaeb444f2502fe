"""`decide` and `may_send` for operations without an idempotency key, over sequences of attempts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.domain.test_proofs import ids_of
from tests.unit.examples import (
    CREATED,
    DECLINED,
    IN_AN_HOUR,
    NO_CONNECTION,
    NOW_S,
    TIMED_OUT,
    make_refusal,
)

from paydispatch.domain.attempts import Attempt, Unknown
from paydispatch.domain.outcomes import Error, Response
from paydispatch.domain.retry import Again, GivenUp, Settled, decide, may_send, with_doubt
from paydispatch.domain.stripe.operations import Operation, all_operations, operation_named
from paydispatch.domain.stripe.repeats import Repeat, Repeats, repeats_of

if TYPE_CHECKING:
    from paydispatch.domain.progress import Progress
    from paydispatch.domain.retry import Decision

GONE = make_refusal(404, type="invalid_request_error", code="resource_missing", param="coupon")
RATE_LIMITED = make_refusal(429, type="rate_limit")
RETRY_THIS = make_refusal(400, should_retry=True)
SERVER_ERROR = Unknown("sorry", "server_error", 500, should_retry=True)
COUPON = repeats_of(operation_named("delete_coupon"), {"coupon": "SUMMER"}, {})
DISCOUNT = repeats_of(operation_named("delete_discount_customer"), {"customer": "cus_1"}, {})

attempts = st.lists(
    st.sampled_from(
        [TIMED_OUT, SERVER_ERROR, NO_CONNECTION, RATE_LIMITED, RETRY_THIS, GONE, DECLINED, CREATED]
    ),
    min_size=1,
    max_size=8,
)
operations = st.sampled_from(all_operations())


def follow(repeats: Repeats, answers: list[Attempt]) -> tuple[list[Attempt], Decision]:
    """Return the attempts that were made, and the last decision."""
    progress: Progress = IN_AN_HOUR
    made: list[Attempt] = []
    for answer in answers:
        refusal = may_send(progress, NOW_S, repeats.rule)
        if refusal is not None:
            return made, refusal
        made.append(answer)
        decision = decide(answer, progress, NOW_S, 0.5, repeats)
        if not isinstance(decision, Again):
            return made, decision
        progress = decision.progress
    return made, decision


@given(operation=operations, answers=attempts)
def test_no_delete_of_a_place_is_sent_again_after_an_unknown(
    operation: Operation, answers: list[Attempt]
) -> None:
    repeats = repeats_of(operation, ids_of(operation), {})
    made, decision = follow(repeats, answers)
    if operation.method == "DELETE" and not operation.path.endswith("}"):
        assert not any(isinstance(attempt, Unknown) for attempt in made[:-1])
        if isinstance(made[-1], Unknown):
            assert isinstance(decision, GivenUp)
            assert not decision.outcome.settled


@given(operation=operations, answers=attempts)
def test_an_inferred_outcome_follows_only_a_delete_with_a_lost_answer_and_a_404(
    operation: Operation, answers: list[Attempt]
) -> None:
    made, decision = follow(repeats_of(operation, ids_of(operation), {}), answers)
    inferred = isinstance(decision, Settled) and decision.inferred
    lost = any(isinstance(attempt, Unknown) for attempt in made)
    deletes = operation.method == "DELETE" and operation.path.endswith("}")
    assert inferred == (deletes and lost and made[-1] is GONE)


@given(operation=operations, answers=attempts)
def test_no_error_is_certain_after_a_lost_answer_except_one_that_stripe_keeps(
    operation: Operation, answers: list[Attempt]
) -> None:
    made, decision = follow(repeats_of(operation, ids_of(operation), {}), answers)
    lost = any(isinstance(attempt, Unknown) for attempt in made)
    if isinstance(decision, Settled | GivenUp) and isinstance(decision.outcome, Error) and lost:
        kept = operation.method == "POST" and made[-1] is DECLINED
        assert decision.outcome.settled == kept


def test_the_404_of_a_repeated_delete_is_its_inferred_response() -> None:
    decision = decide(GONE, with_doubt(IN_AN_HOUR), NOW_S, 0.5, COUPON)
    body = {"id": "SUMMER", "deleted": True}
    response = Response(body=body, attempts=1, stripe_request_id="req_4")
    assert decision == Settled(response, inferred=True)


def test_a_404_of_a_repeated_cancellation_with_an_invoice_stays_unknown() -> None:
    """Another program may have canceled the subscription without the invoice."""
    ids = {"subscription_exposed_id": "sub_1"}
    repeats = repeats_of(operation_named("cancel_subscription"), ids, {"invoice_now": True})
    decision = decide(GONE, with_doubt(IN_AN_HOUR), NOW_S, 0.5, repeats)
    assert isinstance(decision, GivenUp)
    assert not decision.outcome.settled


def test_a_404_without_a_lost_answer_is_a_plain_refusal() -> None:
    decision = decide(GONE, IN_AN_HOUR, NOW_S, 0.5, COUPON)
    assert isinstance(decision, Settled)
    assert isinstance(decision.outcome, Error)
    assert decision.outcome.settled
    assert not decision.inferred


@pytest.mark.parametrize(
    "refusal",
    [
        make_refusal(404, code="resource_missing", param="proration_date"),
        make_refusal(404, code="url_invalid"),
        make_refusal(404, code=None),
        make_refusal(400, code="resource_missing"),
        make_refusal(404, code="resource_missing", param=["proration_date"]),
    ],
    ids=lambda refusal: f"{refusal.http_status} {refusal.error.get('param')}",
)
def test_another_refusal_after_a_lost_answer_shows_no_effect(refusal: Attempt) -> None:
    sent = replace(COUPON, sent=frozenset({"proration_date", "['proration_date']"}))
    decision = decide(refusal, with_doubt(IN_AN_HOUR), NOW_S, 0.5, sent)
    assert isinstance(decision, GivenUp)
    assert not decision.outcome.settled


def test_the_404_of_a_post_after_a_lost_answer_stays_unknown() -> None:
    decision = decide(GONE, with_doubt(IN_AN_HOUR), NOW_S, 0.5, Repeats())
    assert isinstance(decision, GivenUp)
    assert not decision.outcome.settled


def test_the_404_of_a_place_after_a_lost_answer_stays_unknown() -> None:
    """Its customer may be gone, or its discount. Another request may have made either come and go."""
    decision = decide(GONE, with_doubt(IN_AN_HOUR), NOW_S, 0.5, DISCOUNT)
    assert isinstance(decision, GivenUp)


def test_a_delete_of_a_place_in_doubt_may_not_be_sent() -> None:
    refusal = may_send(with_doubt(IN_AN_HOUR), NOW_S, Repeat.UNTIL_DOUBT)
    assert refusal is not None
    assert refusal.outcome.code == "answer_unknown"
    assert may_send(with_doubt(IN_AN_HOUR), NOW_S, Repeat.UNTIL_TOLD) is None
    assert may_send(IN_AN_HOUR, NOW_S, Repeat.UNTIL_DOUBT) is None


def test_no_answer_to_a_delete_is_kept_by_stripe() -> None:
    decision = decide(DECLINED, IN_AN_HOUR, NOW_S, 0.5, COUPON)
    assert isinstance(decision, Settled)
    assert not decision.outcome.answered
    latched = decide(DECLINED, with_doubt(IN_AN_HOUR), NOW_S, 0.5, COUPON)
    assert isinstance(latched, GivenUp)
    assert not latched.outcome.settled
