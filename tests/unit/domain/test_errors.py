"""Errors speak Stripe's language."""

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
def test_each_refusal_knows_its_status(status: int, error: BadRequest) -> None:
    assert error.status == status


@pytest.mark.parametrize("error", STATUSES.values(), ids=lambda error: type(error).__name__)
def test_each_refusal_has_stripes_shape(error: BadRequest) -> None:
    shown = error.as_dict()
    assert {"type", "code", "message"} <= shown.keys() <= {"type", "code", "message", "param"}
    assert None not in shown.values()
    assert shown["type"] in ("invalid_request_error", "idempotency_error")


def test_an_unknown_object_is_told_which_there_are() -> None:
    message = str(UnknownObject("t" * 1000, known=("coupon", "price")))
    assert "coupon, price" in message
    assert len(message) < 200


def test_a_request_that_is_not_there_is_a_404() -> None:
    assert RequestNotFound("pdr_1").status == 404


def test_refused_parameters_are_all_told_the_first_as_the_headline() -> None:
    errors = [ParamError("a", "c1", "First."), ParamError("b", "c2", "Second.")]
    refusal = InvalidParams(errors)
    assert (refusal.param, refusal.code, refusal.message) == ("a", "c1", "First.")
    assert str(refusal) == "First. Second."


def test_a_full_buffer_may_be_tried_again() -> None:
    assert isinstance(BufferFull(10), Unavailable)
    assert BufferFull(10).retry_after_s > 0


def test_what_was_not_delivered_is_named_up_to_a_point() -> None:
    left = NotDelivered(refused=[named(f"pdr_{n}") for n in range(25)], cause="Why.")
    assert "25 requests" in str(left)
    assert "pdr_19 and 5 more). Why." in str(left)
    assert len(left.receipts) == 25


def test_what_was_not_delivered_says_what_to_do_with_each() -> None:
    refused, unknown, under_way = (named(f"pdr_{n}") for n in range(3))

    left = NotDelivered(refused=[refused], unknown=[unknown], under_way=[under_way])

    assert left.receipts == (refused, unknown, under_way)
    assert str(left) == (
        "1 requests were refused and not accepted: send them again, or drop them (pdr_0). "
        "1 requests may have been accepted, because the answer was lost: "
        "repeat them only with dispatcher.redispatch(receipt) (pdr_1). "
        "1 requests are still on their way: wait for them (pdr_2)."
    )


def named(request_id: str) -> Receipt:
    return Receipt(request_id=request_id, object_name="coupon", worker_id="w", context_id="c")


def test_without_a_dispatcher_the_way_to_one_is_told() -> None:
    assert "with Dispatcher.from_env()" in str(NoDispatcher())
