"""The four ways in which one HTTP call to Stripe ends.

NotSent          no connection was made, so nothing happened
RefusedInFront   Stripe refused *this* attempt before it executed anything
Answered         final: Stripe executed the request, now or before (a replay)
Unknown          Stripe may have executed the request, or not
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
    """The `Stripe-Rate-Limited-Reason` header of a 429, where Stripe sent one."""


@dataclass(frozen=True, slots=True)
class Answered:
    http_status: int
    body: Mapping[str, Any]
    stripe_request_id: str | None
    replayed: bool = False

    @property
    def succeeded(self) -> bool:
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
"""The statuses with which Stripe, or a proxy in front of it, answers without executing the request.

Other statuses may come after the execution began, for instance 424."""

Attempt = NotSent | RefusedInFront | Answered | Unknown


def classify(http_status: int, headers: Mapping[str, str], body: Any) -> Attempt:
    """Return the attempt that a complete answer stands for. `body` is the decoded JSON, or None where it was not JSON.

    Sources: Stripe's guide to low-level errors (docs.stripe.com/error-low-level), its page on idempotent requests
    (docs.stripe.com/api/idempotent_requests) and the retry rules of its Python library (`_http_client.py`).
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
        # Stripe replays a kept 500 on every retry under this key, so that a retry cannot clear the latch.
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
