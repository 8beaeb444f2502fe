"""Errors have the shape of Stripe's errors."""

import pytest

from paydispatch.domain.errors import (
    BadRequest,
    BufferFull,
    IdempotencyConflict,
    InvalidField,
    InvalidParams,
    NoDispatcher,
    NotAuthenticated,
    NotDelivered,
    ParamError,
    RequestNotFound,
    TooLarge,
    Unavailable,
    UnknownObject,
)
from paydispatch.sdk.receipt import Receipt

STATUSES = {
    400: InvalidField("worker_id", "wrong"),
    401: NotAuthenticated(),
    404: UnknownObject("tea", known=("coupon",)),
    409: IdempotencyConflict("order-1"),
    413: TooLarge(2_000_000, 1_048_576),
    422: InvalidParams([ParamError("amount", "parameter_missing", "Missing.")]),
}


@pytest.mark.parametrize(("status", "error"), STATUSES.items())
def test_each_refusal_has_its_http_status(status: int, error: BadRequest) -> None:
    assert error.status == status


@pytest.mark.parametrize("error", STATUSES.values(), ids=lambda error: type(error).__name__)
def test_each_refusal_has_the_fields_of_a_stripe_error(error: BadRequest) -> None:
    shown = error.as_dict()
    assert {"type", "code", "message"} <= shown.keys() <= {"type", "code", "message", "param"}
    assert None not in shown.values()
    assert shown["type"] in ("invalid_request_error", "idempotency_error")


def test_the_error_for_an_unknown_object_lists_the_known_ones() -> None:
    message = str(UnknownObject("t" * 1000, known=("coupon", "price")))
    assert "coupon, price" in message
    assert len(message) < 200


def test_a_missing_request_is_a_404() -> None:
    assert RequestNotFound("pdr_1").status == 404


def test_the_error_invalid_params_lists_every_error_and_has_the_code_of_the_first() -> None:
    errors = [ParamError("a", "c1", "First."), ParamError("b", "c2", "Second.")]
    refusal = InvalidParams(errors)
    assert (refusal.param, refusal.code, refusal.message) == ("a", "c1", "First.")
    assert str(refusal) == "First. Second."


def test_a_full_buffer_can_be_retried() -> None:
    assert isinstance(BufferFull(10), Unavailable)
    assert BufferFull(10).retry_after_s > 0


def test_the_error_not_delivered_names_at_most_20_requests() -> None:
    left = NotDelivered(refused=[make_receipt(f"pdr_{n}") for n in range(25)], cause="Why.")
    assert "25 requests" in str(left)
    assert "pdr_19 and 5 more). Why." in str(left)
    assert len(left.receipts) == 25


def test_the_error_not_delivered_says_how_to_handle_each_kind_of_request() -> None:
    refused, unknown, under_way = (make_receipt(f"pdr_{n}") for n in range(3))

    left = NotDelivered(refused=[refused], unknown=[unknown], under_way=[under_way])

    assert left.receipts == (refused, unknown, under_way)
    assert str(left) == (
        "1 requests were refused and not accepted: send them again, or drop them (pdr_0). "
        "1 requests may have been accepted, because the answer was lost: "
        "repeat them only with dispatcher.redispatch(receipt) (pdr_1). "
        "1 requests are still being sent: wait for them (pdr_2)."
    )


def make_receipt(request_id: str) -> Receipt:
    return Receipt(
        request_id=request_id,
        operation="create_coupon",
        object_name="coupon",
        worker_id="w",
        context_id="c",
    )


def test_the_error_no_dispatcher_says_how_to_make_one() -> None:
    assert "with Dispatcher.from_env()" in str(NoDispatcher())
