"""The API's HTTP answers, with errors in the shape of Stripe's errors."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from paydispatch.domain.claims import FINAL_STATUSES
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
    warnings_within,
)
from paydispatch.handlers.api.http import HttpAnswer
from paydispatch.services.status import format_status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paydispatch.ports import RequestRecord
    from paydispatch.services.accept import Accepted

_NOT_ACCEPTED = (
    "The request was not accepted, because a service behind the API cannot be reached. Try again."
)
_MAYBE_ACCEPTED = (
    "The request may have been accepted, because the queue's answer was lost. Send the same body again "
    "with this idempotency_key, and it is the same request. With another key it is a second request."
)
_TOO_LARGE = (
    "The field is too large for this answer and is left out. The worker's flow gets it in full."
)


def json_answer(
    status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> HttpAnswer:
    return HttpAnswer(status, json.dumps(body), headers or {})


def accepted_answer(result: Accepted) -> HttpAnswer:
    return json_answer(202, _accepted_body(result, ANSWER_BYTES), _acceptance_headers(result))


def _acceptance_headers(result: Accepted) -> dict[str, str]:
    headers = {"Location": f"/v1/requests/{result.request_id}"}
    return {**headers, "Idempotent-Replayed": "true"} if result.replayed else headers


def outcome_answer(result: Accepted, record: RequestRecord | None) -> HttpAnswer:
    """Answer 200 with the status of a settled request, and 202 with the status of any other one."""
    if record is None:
        return accepted_answer(result)
    if record.status not in FINAL_STATUSES:
        return accepted_answer(replace(result, status=record.status))
    told = status_answer(
        {**format_status(record), **warnings_within(result.warnings, ANSWER_BYTES)}
    )
    return replace(told, headers=_acceptance_headers(result))


def with_wait(wait_s: int, answer: HttpAnswer) -> HttpAnswer:
    """Return the answer with the note that it waited for an outcome as the caller preferred (RFC 7240)."""
    applied = {"Preference-Applied": f"wait={wait_s}"} if wait_s else {}
    return replace(answer, headers={**answer.headers, **applied})


def batch_answer(results: Sequence[Accepted | PaydispatchError]) -> HttpAnswer:
    """Answer each item in its place. Each item may use the same share of the answer's room for errors and warnings."""
    share_bytes = ANSWER_BYTES // max(1, len(results))
    return json_answer(202, {"results": [batch_item(each, share_bytes) for each in results]})


def batch_item(
    result: Accepted | PaydispatchError, room_bytes: int = ANSWER_BYTES
) -> dict[str, Any]:
    """Return one item of a batch's answer: the body of a single request's answer, or the error in its place."""
    if not isinstance(result, PaydispatchError):
        replayed = {"idempotent_replayed": True} if result.replayed else {}
        return {**_accepted_body(result, room_bytes), **replayed}
    if isinstance(result, BadRequest):
        refused = {"status": "refused", "http_status": result.status}
        return {**refused, **_error_body(result, room_bytes - size_in_answer(refused))}
    status = "maybe_accepted" if isinstance(result, MaybeAccepted) else "refused"
    return {"status": status, "http_status": 503, **_unavailable_body(result)}


def status_answer(shown: Mapping[str, Any]) -> HttpAnswer:
    """Answer with the status of a request. Leave out an answer of Stripe that is too large, with a warning."""
    if size_in_answer(shown) <= STATUS_BYTES:
        return json_answer(200, shown)
    left_out = [name for name in ("parsed_data", "parsed_error") if name in shown]
    kept = {name: value for name, value in shown.items() if name not in left_out}
    warnings = [{"param": name, "code": "too_large", "message": _TOO_LARGE} for name in left_out]
    return json_answer(200, {**kept, "warnings": [*kept.get("warnings", ()), *warnings]})


def error_answer(error: BadRequest, *, status: int | None = None) -> HttpAnswer:
    return json_answer(status or error.status, _error_body(error, ANSWER_BYTES))


def unavailable_answer(error: Unavailable) -> HttpAnswer:
    """Answer 503: whether the request may have been accepted, and when to try again. Only the log shows the cause."""
    headers: dict[str, str] = {"Retry-After": str(error.retry_after_s)}
    return json_answer(503, _unavailable_body(error), headers)


def unhealthy_answer(error: Unavailable) -> HttpAnswer:
    headers: dict[str, str] = {"Retry-After": str(error.retry_after_s)}
    message = (
        "Redis takes no writes from the API. Creates without an idempotency key are accepted. "
        "Creates with a key and statuses are refused."
    )
    return json_answer(503, _api_error(message, "unavailable"), headers)


def failure_answer() -> HttpAnswer:
    """Answer for a fault in the API itself. Only the log shows it."""
    return json_answer(500, _api_error("The API failed. Its log shows why.", "internal_error"))


def refusal_answer(error: UnexpectedEvent) -> HttpAnswer:
    """Answer an event that is no HTTP request.

    The status is 501, because another request would fail in the same way.
    """
    return json_answer(501, _api_error(str(error), "event_unexpected"))


def _accepted_body(result: Accepted, room_bytes: int) -> dict[str, Any]:
    return {
        "request_id": result.request_id,
        "object": result.request.operation.object,
        "operation": result.request.operation.name,
        "status": result.status,
        "worker_id": result.request.worker_id,
        "context_id": result.request.context_id,
        **warnings_within(result.warnings, room_bytes),
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
