"""What a fetched object proves about an operation."""

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
    ],
)
def test_another_state_or_another_object_proves_nothing(name: str, body: dict[str, Any]) -> None:
    assert isinstance(state(name, **body), Inconclusive)


@pytest.mark.parametrize("status", ["succeeded", "requires_capture"])
def test_a_capture_that_need_not_be_the_last_one_is_not_proven_by_the_state(status: str) -> None:
    assert isinstance(
        state("capture_payment_intent", {"final_capture": False}, status=status), Inconclusive
    )


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
