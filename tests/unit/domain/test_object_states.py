"""A fetched object proves an operation, disproves it, or says nothing about it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.examples import NOW_S

from paydispatch.domain.operators.lookup_results import (
    CLOCKS_APART_S,
    Found,
    Inconclusive,
    NotFound,
)
from paydispatch.domain.operators.object_states import Fetched, read_absence, read_state
from paydispatch.domain.stripe.operations import operation_named
from paydispatch.domain.stripe.states import RULES

DELETE = operation_named("delete_coupon")
SUMMER = {"coupon": "SUMMER"}


def state(name: str, params: dict[str, Any] | None = None, **body: Any) -> Any:
    fetched = Fetched({"id": "pi_1", **body}, "req_1", NOW_S)
    return read_state(RULES[name], "pi_1", params or {}, fetched)


def absence(body: dict[str, Any] | None, first_sent_at: float | None = NOW_S) -> Any:
    return read_absence(DELETE, SUMMER, first_sent_at, Fetched(body, "req_1", NOW_S + 1))


def test_an_object_in_a_done_state_is_found() -> None:
    body = {"id": "pi_1", "status": "succeeded"}
    assert state("capture_payment_intent", status="succeeded") == Found(body, "req_1")


def test_an_object_in_an_earlier_state_shows_that_the_operation_is_not_done() -> None:
    assert state("capture_payment_intent", status="requires_capture") == NotFound(NOW_S)


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("capture_payment_intent", {"status": "processing"}),
        ("capture_payment_intent", {"status": ["succeeded"]}),
        ("capture_payment_intent", {}),
        ("capture_payment_intent", {"status": "succeeded", "id": "pi_2"}),
        ("capture_charge", {"captured": 1}),
        ("capture_charge", {"captured": None}),
        ("confirm_payment_intent", {"status": "requires_confirmation"}),
        ("mark_uncollectible_invoice", {"status": "paid"}),
        ("reactivate_billing_meter", {"status": "inactive"}),
        ("finalize_invoice", {"status": "uncollectible"}),
        ("cancel_subscription", {"status": "incomplete_expired"}),
        ("close_dispute", {"status": "warning_closed"}),
        ("approve_review", {"open": False, "closed_reason": "refunded_as_fraud"}),
        ("approve_review", {"open": False}),
    ],
)
def test_another_state_or_another_object_proves_nothing(name: str, body: dict[str, Any]) -> None:
    assert isinstance(state(name, **body), Inconclusive)


@pytest.mark.parametrize("status", ["succeeded", "requires_capture"])
def test_a_capture_that_need_not_be_the_last_one_is_not_proven_by_the_state(status: str) -> None:
    assert isinstance(
        state("capture_payment_intent", {"final_capture": False}, status=status), Inconclusive
    )


@pytest.mark.parametrize(
    ("name", "params", "body"),
    [
        (
            "capture_payment_intent",
            {"amount_to_capture": 500},
            {"status": "succeeded", "amount_received": 2000},
        ),
        ("capture_payment_intent", {"amount_to_capture": 500}, {"status": "succeeded"}),
        ("capture_charge", {"amount": 500}, {"captured": True, "amount_captured": 2000}),
        ("pay_invoice", {"paid_out_of_band": True}, {"status": "paid"}),
        ("pay_invoice", {"paid_out_of_band": "true"}, {"status": "paid"}),
        ("cancel_subscription", {"invoice_now": True}, {"status": "canceled"}),
        ("delete_customer_subscription", {"prorate": True}, {"status": "canceled"}),
        ("cancel_subscription_schedule", {"prorate": True}, {"status": "canceled"}),
    ],
)
def test_a_state_that_another_request_led_to_proves_nothing(
    name: str, params: dict[str, Any], body: dict[str, Any]
) -> None:
    assert isinstance(state(name, params, **body), Inconclusive)


@pytest.mark.parametrize(
    ("name", "params", "body"),
    [
        (
            "capture_payment_intent",
            {"amount_to_capture": "500"},
            {"status": "succeeded", "amount_received": 500},
        ),
        ("capture_charge", {"amount": 500}, {"captured": True, "amount_captured": 500}),
        ("capture_charge", {}, {"captured": True, "amount_captured": 2000}),
        ("pay_invoice", {"paid_out_of_band": False}, {"status": "paid"}),
        ("cancel_subscription", {"invoice_now": "false"}, {"status": "canceled"}),
        ("approve_review", {}, {"open": False, "closed_reason": "approved"}),
    ],
)
def test_a_state_with_all_that_the_request_asked_for_proves_it(
    name: str, params: dict[str, Any], body: dict[str, Any]
) -> None:
    assert isinstance(state(name, params, **body), Found)


@pytest.mark.parametrize(
    ("name", "params", "body"),
    [
        ("cancel_subscription", {"invoice_now": True}, {"status": "active"}),
        ("capture_payment_intent", {"amount_to_capture": 500}, {"status": "requires_capture"}),
        ("approve_review", {}, {"open": True, "closed_reason": None}),
    ],
)
def test_an_earlier_state_proves_that_nothing_of_it_was_done(
    name: str, params: dict[str, Any], body: dict[str, Any]
) -> None:
    assert state(name, params, **body) == NotFound(NOW_S)


def test_an_object_that_is_gone_has_no_state() -> None:
    rule = RULES["finalize_invoice"]
    assert isinstance(read_state(rule, "in_1", {}, Fetched(None)), Inconclusive)


def test_a_missing_object_was_deleted() -> None:
    assert absence(None) == Found({"id": "SUMMER", "deleted": True}, "req_1")


def test_an_object_that_says_so_was_deleted() -> None:
    body = {"id": "SUMMER", "deleted": True}
    assert absence(body) == Found(body, "req_1")


def test_an_older_object_was_not_deleted() -> None:
    body = {"id": "SUMMER", "created": NOW_S - CLOCKS_APART_S - 1}
    assert absence(body) == NotFound(NOW_S + 1)


@pytest.mark.parametrize("created", [NOW_S - CLOCKS_APART_S, NOW_S + 60, "yesterday", None])
def test_an_object_that_may_have_been_made_anew_proves_nothing(created: Any) -> None:
    assert isinstance(absence({"id": "SUMMER", "created": created}), Inconclusive)


@pytest.mark.parametrize("created", [NOW_S - CLOCKS_APART_S, NOW_S - 1, None])
@pytest.mark.parametrize("first_sent_at", [NOW_S, None])
def test_an_object_with_an_id_that_stripe_chose_was_not_deleted_if_it_stands(
    created: float | None, first_sent_at: float | None
) -> None:
    delete, body = operation_named("delete_customer"), {"id": "cus_1", "created": created}
    fetched = Fetched(body, "req_1", NOW_S + 1)
    found = read_absence(delete, {"customer": "cus_1"}, first_sent_at, fetched)
    assert found == NotFound(NOW_S + 1)


def test_without_the_time_of_the_first_send_no_object_is_older() -> None:
    assert isinstance(absence({"id": "SUMMER", "created": 1}, None), Inconclusive)


def test_another_object_proves_nothing() -> None:
    assert isinstance(absence({"id": "WINTER"}), Inconclusive)
    assert isinstance(absence({"id": "WINTER", "deleted": True}), Inconclusive)
