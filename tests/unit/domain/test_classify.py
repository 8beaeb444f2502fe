"""`classify` sorts each complete answer of Stripe by the effect that it proves."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paydispatch.domain.attempts import Answered, Attempt, RefusedInFront, Unknown, classify

ERROR = {"error": {"type": "invalid_request_error", "message": "no"}}
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
odd_bodies = json_values | st.fixed_dictionaries({"error": json_values})
odd_headers = st.dictionaries(
    st.sampled_from(
        [
            "request-id",
            "stripe-should-retry",
            "idempotent-replayed",
        ]
    ),
    st.sampled_from(["true", "false", "TRUE", ""]),
)


@pytest.mark.parametrize("status", [200, 201, 299])
def test_a_success_is_answered(status: int) -> None:
    answer = classify(status, {"request-id": "req_1"}, {"id": "pi_1"})
    assert answer == Answered(status, {"id": "pi_1"}, "req_1")
    assert answer.succeeded


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 429])
def test_a_refusal_before_execution_is_refused_in_front(status: int) -> None:
    assert classify(status, {}, ERROR) == RefusedInFront(status, ERROR["error"], None, None)


@pytest.mark.parametrize("status", [302, 408, 424, 425, 499])
def test_a_status_that_stripe_does_not_document_as_a_refusal_is_unknown(status: int) -> None:
    """Another server may have answered while Stripe already executed the request."""
    assert isinstance(classify(status, {}, ERROR), Unknown)


def test_a_declined_card_is_an_answer() -> None:
    answer = classify(402, {}, ERROR)
    assert isinstance(answer, Answered)
    assert not answer.succeeded


@pytest.mark.parametrize("status", [400, 402, 404, 409])
def test_a_replayed_refusal_is_a_final_answer(status: int) -> None:
    answer = classify(status, {"idempotent-replayed": "true"}, ERROR)
    assert answer == Answered(status, ERROR, None, replayed=True)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 599])
def test_a_server_error_is_unknown(status: int) -> None:
    answer = classify(status, {"request-id": "req_1"}, {"error": {"message": "sorry"}})
    assert isinstance(answer, Unknown)
    assert (answer.http_status, answer.stripe_request_id) == (status, "req_1")
    assert answer.should_retry is None


def test_a_replayed_500_is_unknown_and_not_retried() -> None:
    answer = classify(500, {"idempotent-replayed": "true"}, ERROR)
    assert isinstance(answer, Unknown)
    assert answer.should_retry is False


def test_stripe_should_retry_counts_even_for_a_replayed_500() -> None:
    headers = {"idempotent-replayed": "true", "stripe-should-retry": "true"}
    answer = classify(500, headers, ERROR)
    assert isinstance(answer, Unknown)
    assert answer.should_retry is True


@pytest.mark.parametrize("body", [None, "ok", 1, ["a"], True])
@pytest.mark.parametrize("status", [200, 400, 402, 429, 500])
def test_an_answer_that_is_no_json_object_is_unknown_at_any_status(status: int, body: Any) -> None:
    assert isinstance(classify(status, {}, body), Unknown)


@pytest.mark.parametrize(
    ("header", "expected"), [("true", True), ("false", False), (None, None), ("?", None)]
)
def test_stripe_should_retry_is_read(header: str | None, expected: bool | None) -> None:
    headers = {} if header is None else {"stripe-should-retry": header}
    answer = classify(429, headers, ERROR)
    assert isinstance(answer, RefusedInFront)
    assert answer.should_retry is expected


@given(status=st.integers(100, 599), headers=odd_headers, body=odd_bodies)
def test_every_answer_is_answered_refused_or_unknown(
    status: int, headers: dict[str, str], body: Any
) -> None:
    answer: Attempt = classify(status, headers, body)
    assert isinstance(answer, Answered | RefusedInFront | Unknown)


@given(status=st.integers(100, 599), headers=odd_headers, body=odd_bodies)
def test_only_a_success_status_with_a_json_object_counts_as_created(
    status: int, headers: dict[str, str], body: Any
) -> None:
    answer = classify(status, headers, body)
    created = isinstance(answer, Answered) and answer.succeeded
    assert created == (200 <= status < 300 and isinstance(body, dict))


@given(status=st.integers(500, 599), headers=odd_headers, body=odd_bodies)
def test_no_server_error_is_ever_final(status: int, headers: dict[str, str], body: Any) -> None:
    assert isinstance(classify(status, headers, json.loads(json.dumps(body))), Unknown)
