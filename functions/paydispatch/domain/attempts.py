"""One HTTP call to Stripe ends in one of four ways, and each says what is known afterwards.

NotSent          nothing happened: no connection was made
RefusedInFront   *this* attempt did nothing: Stripe turned it away before execution
Answered         final: Stripe executed it, now or before (a replay)
Unknown          anything may have happened
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class NotSent:
    reason: str
    code: str = "connection_failed"


@dataclass(frozen=True, slots=True)
class RefusedInFront:
    http_status: int
    error: Mapping[str, Any]
    """Stripe's `error` object."""
    should_retry: bool | None
    """The `Stripe-Should-Retry` header, where Stripe sent one."""
    stripe_request_id: str | None
    rate_limited_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    http_status: int
    body: Mapping[str, Any]
    stripe_request_id: str | None
    replayed: bool = False

    @property
    def created(self) -> bool:
        return 200 <= self.http_status < 300


@dataclass(frozen=True, slots=True)
class Unknown:
    reason: str
    code: str
    http_status: int | None = None
    should_retry: bool | None = None
    stripe_request_id: str | None = None
    error: Mapping[str, Any] | None = None


REFUSALS = frozenset({400, 401, 403, 404, 405, 409, 413, 414, 415, 429, 431})
"""What Stripe, or what stands before it, answers without executing. Others may come from the midst of it, like 424."""

Attempt = NotSent | RefusedInFront | Answered | Unknown


def classify(http_status: int, headers: Mapping[str, str], body: Any) -> Attempt:
    """Sort an answer that arrived whole. `body` is the decoded JSON, or None where it was not JSON.

    Source: Stripe's low-level error guide, "idempotent requests" and the retry rules of its SDK.
    """
    request_id = headers.get("request-id")
    should_retry = _flag(headers.get("stripe-should-retry"))
    replayed = headers.get("idempotent-replayed") == "true"
    if not isinstance(body, dict):
        return Unknown(
            "Stripe's answer is not JSON", "not_json", http_status, should_retry, request_id
        )
    if 200 <= http_status < 300:
        return Answered(http_status, body, request_id, replayed)
    error = _error_object(body)
    if http_status >= 500:
        # A kept 500 comes back on every retry under this key: asking again cannot end the doubt.
        retry = False if replayed and should_retry is None else should_retry
        return Unknown(_message(error), "server_error", http_status, retry, request_id, error)
    if http_status == 402 or replayed:
        return Answered(http_status, body, request_id, replayed)
    if http_status not in REFUSALS:
        return Unknown(
            f"Unexpected status {http_status}",
            "unexpected_status",
            http_status,
            should_retry,
            request_id,
        )
    reason = headers.get("stripe-rate-limited-reason")
    return RefusedInFront(http_status, error, should_retry, request_id, reason)


def _flag(value: str | None) -> bool | None:
    return {"true": True, "false": False}.get(value or "")


def _error_object(body: Mapping[str, Any]) -> Mapping[str, Any]:
    error = body.get("error")
    return error if isinstance(error, dict) else {}


def _message(error: Mapping[str, Any]) -> str:
    return str(error.get("message") or "Stripe answered with a server error")
