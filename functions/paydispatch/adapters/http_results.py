"""The result of each request in an answer of `POST /v1/batches`: accepted, refused, or unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paydispatch.domain.errors import (
    BadRequest,
    IdempotencyKeyReused,
    MaybeAccepted,
    PaydispatchError,
    Unavailable,
)

if TYPE_CHECKING:
    import httpx

KEY_REUSED = "idempotency_key_reused"

NOT_ACCEPTED = "unavailable"
"""The `code` of the API's own 503, which says that nothing was accepted."""


def results_of(answer: httpx.Response, count: int) -> list[str | PaydispatchError]:
    """Return `count` results, in order. The sender repeats an unknown one under its idempotency key."""
    status = answer.status_code
    body = object_in(answer)
    if status == 429:
        return [Unavailable("The API takes no more calls at present (429).")] * count
    if 400 <= status < 500:
        return [refusal_of(status, body)] * count
    if status == 503 and _says_not_accepted(body):
        return [Unavailable(str(_error_in(body).get("message")))] * count
    results = body.get("results") if status == 202 else None
    if not isinstance(results, list) or len(results) != count:
        # A proxy, a gateway or a sign-in page may have answered, before or after the API did its work.
        return [_maybe_accepted(f"the API answered {status} without {count} results")] * count
    return [_result(item) for item in results]


def _result(item: Any) -> str | PaydispatchError:
    """Return the result of one item. It is accepted only without an error, because a failed one may have an id too."""
    if not isinstance(item, dict):
        return _maybe_accepted("an item of the API's answer is no JSON object")
    status = item.get("http_status")
    if status is None and "error" not in item and "request_id" in item:
        return str(item["request_id"])
    if isinstance(status, int) and 400 <= status < 500:
        return refusal_of(status, item)
    if status == 503 and _says_not_accepted(item):
        return Unavailable(str(_error_in(item).get("message")))
    return _maybe_accepted(str(_error_in(item).get("message") or f"status {status}"))


def _says_not_accepted(body: dict[str, Any]) -> bool:
    """Return whether a 503 rules out that the request was accepted.

    A 503 for a request that may have been accepted says so, and names the request id and key for the repeat.
    """
    error = _error_in(body)
    named = {"request_id", "idempotency_key"} & (body.keys() | error.keys())
    in_doubt = named or "may have been accepted" in str(error.get("message"))
    return error.get("code") == NOT_ACCEPTED and not in_doubt


def _maybe_accepted(why: str) -> MaybeAccepted:
    return MaybeAccepted(f"The request may have been accepted: {why}.")


def refusal_of(status: int, body: dict[str, Any]) -> BadRequest:
    """Return the error that an answer of the API holds."""
    error = _error_in(body)
    message = str(error.get("message") or f"The API answered {status}.")
    code = str(error.get("code") or f"http_{status}")
    if code == KEY_REUSED:
        return IdempotencyKeyReused(message)
    refusal = BadRequest(message, code=code, param=error.get("param"))
    refusal.status = status
    return refusal


def object_in(answer: httpx.Response) -> dict[str, Any]:
    """Return the JSON object in an answer. It is empty if the body is anything else."""
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _error_in(body: dict[str, Any]) -> dict[str, Any]:
    error = body.get("error")
    return error if isinstance(error, dict) else {}
