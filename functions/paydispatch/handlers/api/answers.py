"""HTTP answers, and errors in Stripe's own shape."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import Response

from paydispatch.domain.errors import (
    BadRequest,
    InvalidParams,
    MaybeAccepted,
    PaydispatchError,
    Unavailable,
    UnexpectedEvent,
)
from paydispatch.handlers.api.budget import (
    ANSWER_BYTES,
    STATUS_BYTES,
    cut_error,
    errors_within,
    size_in_answer,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paydispatch.services.accept import Accepted

_NOT_ACCEPTED = (
    "The request was not accepted: a service behind this one cannot be reached. Try again."
)
_MAYBE_ACCEPTED = (
    "The request may have been accepted: the queue's answer was lost. Send the same body again under "
    "this idempotency_key, and it is the same request. Under another key it is a second one."
)
_TOO_LARGE = "Stripe's answer is larger than this answer can be. The worker's flow gets all of it."


def json_answer(
    status: int, body: Mapping[str, Any], headers: dict[str, str | list[str]] | None = None
) -> Response[str]:
    return Response(
        status_code=status, content_type="application/json", body=json.dumps(body), headers=headers
    )


def accepted(result: Accepted) -> Response[str]:
    headers: dict[str, str | list[str]] = {"Location": f"/v1/requests/{result.request_id}"}
    if result.replayed:
        headers["Idempotent-Replayed"] = "true"
    return json_answer(202, _accepted_body(result), headers)


def batch_answer(results: Sequence[Accepted | PaydispatchError]) -> Response[str]:
    """Answer each item in its place. Each has the same share of the room that the answer has for errors."""
    share_bytes = ANSWER_BYTES // max(1, len(results))
    return json_answer(202, {"results": [batch_item(each, share_bytes) for each in results]})


def batch_item(
    result: Accepted | PaydispatchError, room_bytes: int = ANSWER_BYTES
) -> dict[str, Any]:
    """Return one item of a batch's answer: what a create's answer says, or its error in its place."""
    if not isinstance(result, PaydispatchError):
        replayed = {"idempotent_replayed": True} if result.replayed else {}
        return {**_accepted_body(result), **replayed}
    if isinstance(result, BadRequest):
        refused = {"status": "refused", "http_status": result.status}
        return {**refused, **_error_body(result, room_bytes - size_in_answer(refused))}
    status = "maybe_accepted" if isinstance(result, MaybeAccepted) else "refused"
    return {"status": status, "http_status": 503, **_unavailable_body(result)}


def status_answer(shown: Mapping[str, Any]) -> Response[str]:
    """Answer where a request stands. An answer of Stripe that is too large is left out, with a warning."""
    if size_in_answer(shown) <= STATUS_BYTES:
        return json_answer(200, shown)
    left_out = [name for name in ("parsed_data", "parsed_error") if name in shown]
    kept = {name: value for name, value in shown.items() if name not in left_out}
    warnings = [{"param": name, "code": "too_large", "message": _TOO_LARGE} for name in left_out]
    return json_answer(200, {**kept, "warnings": warnings})


def error_answer(error: BadRequest, *, status: int | None = None) -> Response[str]:
    return json_answer(status or error.status, _error_body(error, ANSWER_BYTES))


def unavailable(error: Unavailable) -> Response[str]:
    """Say whether the request may have been accepted, and when to come back. The cause is in the log alone."""
    headers: dict[str, str | list[str]] = {"Retry-After": str(error.retry_after_s)}
    return json_answer(503, _unavailable_body(error), headers)


def unhealthy(error: Unavailable) -> Response[str]:
    headers: dict[str, str | list[str]] = {"Retry-After": str(error.retry_after_s)}
    message = (
        "Redis takes no writes from here. Creates without an idempotency key are accepted; "
        "those with one, and statuses, are refused."
    )
    return json_answer(503, _api_error(message, "unavailable"), headers)


def failure() -> Response[str]:
    """Answer for a fault of ours. It is in the log."""
    return json_answer(500, _api_error("Something went wrong on our side.", "internal_error"))


def unexpected(error: UnexpectedEvent) -> dict[str, Any]:
    """In a form that every kind of gateway passes on. Nobody can mend this with another request."""
    return {
        "statusCode": 501,
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps(_api_error(str(error), "event_unexpected")),
        "isBase64Encoded": False,
    }


def _accepted_body(result: Accepted) -> dict[str, Any]:
    return {
        "request_id": result.request_id,
        "object": result.request.object,
        "operation": result.operation,
        "status": result.status,
        "worker_id": result.request.worker_id,
        "context_id": result.request.context_id,
    }


def _error_body(error: BadRequest, room_bytes: int) -> dict[str, Any]:
    body: dict[str, Any] = {"error": cut_error(error.as_dict())}
    if isinstance(error, InvalidParams):
        room_bytes -= size_in_answer(body)
        body |= errors_within(error.errors, room_bytes)
    return body


def _unavailable_body(error: PaydispatchError) -> dict[str, Any]:
    if isinstance(error, MaybeAccepted):
        named = {"request_id": error.request_id, "idempotency_key": error.idempotency_key}
        known = {name: value for name, value in named.items() if value is not None}
        return {**_api_error(_MAYBE_ACCEPTED, "maybe_accepted"), **known}
    return _api_error(_NOT_ACCEPTED, "unavailable")


def _api_error(message: str, code: str) -> dict[str, Any]:
    return {"error": {"type": "api_error", "code": code, "message": message}}
