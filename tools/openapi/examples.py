"""Makes examples of answers with the code of the API, so that they match its real answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from openapi.request_bodies import example_body, example_named_body
from paydispatch.domain.claims import FINAL_STATUSES
from paydispatch.domain.errors import (
    BadRequest,
    IdempotencyConflict,
    InvalidParams,
    MaybeAccepted,
    NotAuthenticated,
    RequestNotFound,
    TooLarge,
    Unavailable,
)
from paydispatch.domain.identity.request_ids import key_for, request_id_for_key
from paydispatch.domain.limits import QUEUE_MESSAGE_LIMIT_BYTES
from paydispatch.domain.outcomes import Certainty, Error, ErrorKind
from paydispatch.domain.parameters.check import check_params
from paydispatch.domain.rates.tokens import Why
from paydispatch.domain.rates.waiting import Waiting
from paydispatch.domain.requests import Lane, parse_request
from paydispatch.domain.stripe.operations import operation_named
from paydispatch.handlers.api.answers import (
    accepted_answer,
    batch_item,
    error_answer,
    failure_answer,
    unavailable_answer,
)
from paydispatch.ports import RequestRecord
from paydispatch.services.accept import Accepted
from paydispatch.services.status import format_status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paydispatch.domain.stripe.operations import Operation
    from paydispatch.handlers.api.http import HttpAnswer

Examples = dict[str, dict[str, Any]]
"""Examples in the form of OpenAPI: {name: {"value": body}}."""

_CREATE = operation_named("create_payment_intent")

REQUEST_ID = request_id_for_key("", "order-1001")


def acceptance_body() -> Any:
    return _body(accepted_answer(_acceptance(_CREATE)))


def batch_body() -> Any:
    """Return the answer to a batch with one accepted and one refused item."""
    return {"results": [batch_item(_acceptance(_CREATE)), batch_item(_params_refusal(_CREATE))]}


def params_refusal_body() -> Any:
    return _body(error_answer(_params_refusal(_CREATE)))


def bad_bodies() -> Examples:
    """Return an example of each way in which a body can be malformed."""
    body = example_named_body(_CREATE)
    wrong: dict[str, dict[str, Any]] = {
        "missing_field": {**body, "worker_id": None},
        "unknown_field": {**body, "amount": 2000},
        "no_secret_key": {**body, "secret_ref": None, "stripe_secret": "pk_test_example"},
    }
    return {name: _value(error_answer(_refusal(fields))) for name, fields in wrong.items()}


def refusals() -> dict[int, Examples]:
    """Return by HTTP status the errors for which one example is enough."""
    errors = {
        "not_signed_in": NotAuthenticated(),
        "not_found": RequestNotFound(REQUEST_ID),
        "key_reused": IdempotencyConflict("order-1001"),
        "too_large": TooLarge(QUEUE_MESSAGE_LIMIT_BYTES + 1, QUEUE_MESSAGE_LIMIT_BYTES),
    }
    refused = {error.status: {name: _value(error_answer(error))} for name, error in errors.items()}
    return refused | {
        500: {"fault": _value(failure_answer())},
        503: {
            "not_accepted": _value(unavailable_answer(Unavailable(""))),
            "maybe_accepted": _value(unavailable_answer(_maybe_accepted())),
        },
    }


def statuses() -> Examples:
    error = Error(
        kind=ErrorKind.API,
        type="card_error",
        code="card_declined",
        decline_code="insufficient_funds",
        message="Your card has insufficient funds.",
        http_status=402,
        stripe_request_id="req_example",
        attempts=1,
        certainty=Certainty.NOT_CREATED,
    )
    lost = Error(
        kind=ErrorKind.HTTP,
        code="timeout",
        message="No answer within 80 s.",
        attempts=3,
        certainty=Certainty.UNKNOWN,
    )
    paused = Waiting(why=Why.PAUSED, lane=Lane.BATCH)
    return {
        "dispatched": _status("dispatched"),
        "retrying": _status("retrying", attempts=2, retry_at=1_800_000_000.5),
        "waiting": _status("retrying", retry_at=1_800_000_000.5, waiting=paused),
        "succeeded": _status("succeeded", attempts=1, parsed_data=_payment_intent()),
        "failed": _status("failed", attempts=1, parsed_error=error.as_dict()),
        "unknown": _status("unknown", attempts=3, parsed_error=lost.as_dict()),
    }


def outcomes() -> Examples:
    """Return the statuses with which a call that waits is answered."""
    return {name: shown for name, shown in statuses().items() if name in FINAL_STATUSES}


def _status(status: str, **known: Any) -> dict[str, Any]:
    record = RequestRecord(
        request_id=REQUEST_ID,
        tenant="local",
        object="payment_intent",
        operation="create_payment_intent",
        worker_id="payment-worker-1",
        context_id="context-123",
        status=status,
        **known,
    )
    return {"value": format_status(record)}


def _payment_intent() -> dict[str, Any]:
    return {
        "id": "pi_payment123",
        "object": "payment_intent",
        "amount": 2000,
        "currency": "usd",
        "metadata": {"paydispatch_request_id": REQUEST_ID},
        "status": "requires_payment_method",
    }


def _acceptance(operation: Operation) -> Accepted:
    return Accepted(REQUEST_ID, parse_request(operation, {}, example_body(operation)))


def _maybe_accepted() -> MaybeAccepted:
    return MaybeAccepted("", request_id=REQUEST_ID, idempotency_key=key_for(REQUEST_ID))


def _params_refusal(operation: Operation) -> InvalidParams:
    """Return the refusal of an unknown parameter and of a value with a wrong type."""
    params = example_body(operation)["params"] | {"metadata": {"order": 1001}, "colour": "red"}
    return InvalidParams(check_params(operation.name, params))


def _refusal(body: Mapping[str, Any]) -> BadRequest:
    try:
        parse_request(_CREATE, {}, body)
    except BadRequest as error:
        return error
    raise ValueError(f"The example must be refused, but it was accepted: {sorted(body)}")


def _value(answer: HttpAnswer) -> dict[str, Any]:
    return {"value": _body(answer)}


def _body(answer: HttpAnswer) -> Any:
    return json.loads(answer.body)
