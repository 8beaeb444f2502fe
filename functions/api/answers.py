"""HTTP answers, and errors in Stripe's own shape."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import Response

from paydispatch.domain.errors import (
    BadRequest,
    InvalidParams,
    PaydispatchError,
    Unavailable,
    UnexpectedEvent,
)

if TYPE_CHECKING:
    from paydispatch.services.accept import Accepted


def json_answer(
    status: int, body: dict[str, Any], headers: dict[str, str | list[str]] | None = None
) -> Response[str]:
    return Response(
        status_code=status, content_type="application/json", body=json.dumps(body), headers=headers
    )


def accepted(result: Accepted) -> Response[str]:
    headers: dict[str, str | list[str]] = {"Location": f"/v1/requests/{result.request_id}"}
    if result.replayed:
        headers["Idempotent-Replayed"] = "true"
    return json_answer(202, _accepted_body(result), headers)


def batch_item(result: Accepted | PaydispatchError) -> dict[str, Any]:
    """One item of a batch's answer: what a create's answer says, or its error in its place."""
    if not isinstance(result, PaydispatchError):
        replayed = {"idempotent_replayed": True} if result.replayed else {}
        return {**_accepted_body(result), **replayed}
    if isinstance(result, BadRequest):
        return {"status": "refused", "http_status": result.status, **_error_body(result)}
    return {"status": "refused", "http_status": 503, **_unavailable_body(str(result))}


def error_answer(error: BadRequest, *, status: int | None = None) -> Response[str]:
    return json_answer(status or error.status, _error_body(error))


def unavailable(error: Unavailable) -> Response[str]:
    """The cause is in the log; the caller learns what matters to it: nothing was accepted, and when to come back."""
    headers: dict[str, str | list[str]] = {"Retry-After": str(error.retry_after_s)}
    message = (
        "The request was not accepted: a service behind this one cannot be reached. Try again."
    )
    return json_answer(503, _unavailable_body(message), headers)


def failure() -> Response[str]:
    """Our own fault, and ours to find in the log."""
    return json_answer(
        500, _unavailable_body("Something went wrong on our side.", "internal_error")
    )


def unexpected(error: UnexpectedEvent) -> dict[str, Any]:
    """In a form that every kind of gateway passes on. Nobody can mend this with another request."""
    return {
        "statusCode": 501,
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps(_unavailable_body(str(error), "event_unexpected")),
        "isBase64Encoded": False,
    }


def _accepted_body(result: Accepted) -> dict[str, Any]:
    return {
        "request_id": result.request_id,
        "object": result.request.object,
        "status": "dispatched",
        "worker_id": result.request.worker_id,
        "context_id": result.request.context_id,
    }


def _error_body(error: BadRequest) -> dict[str, Any]:
    body: dict[str, Any] = {"error": error.as_dict()}
    if isinstance(error, InvalidParams):
        body["errors"] = [each.as_dict() for each in error.errors]
    return body


def _unavailable_body(message: str, code: str = "unavailable") -> dict[str, Any]:
    return {"error": {"type": "api_error", "code": code, "message": message}}
