"""What the end of a call says about the account's limits."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from paydispatch.domain.attempts import Answered, NotSent, RefusedInFront, Unknown

if TYPE_CHECKING:
    from paydispatch.domain.attempts import Attempt

TOO_MANY_REQUESTS, FORBIDDEN, UNAUTHORIZED = 429, 403, 401


class Feedback(StrEnum):
    FINE = "fine"
    """Stripe answered, or refused only this request."""
    ACCOUNT_RATE = "account_rate"
    OPERATION_RATE = "operation_rate"
    ACCOUNT_CONCURRENCY = "account_concurrency"
    OPERATION_CONCURRENCY = "operation_concurrency"
    FAILED = "failed"
    """Stripe could not be reached, or gave no answer: it may be out of service."""
    NOT_CALLED = "not_called"
    """The call was not made after all. It says nothing about Stripe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The change that a report made for all calls of the account."""

    shrunk_to: int | None = None
    """The rate or the cap on calls in flight, after it shrank."""
    breaker_opened: bool = False


NO_CHANGE = Change()

_OF_REASON = {
    "global-rate": Feedback.ACCOUNT_RATE,
    "endpoint-rate": Feedback.OPERATION_RATE,
    "global-concurrency": Feedback.ACCOUNT_CONCURRENCY,
    "endpoint-concurrency": Feedback.OPERATION_CONCURRENCY,
    "resource-specific": Feedback.FINE,
}
"""The values of Stripe's header `Stripe-Rate-Limited-Reason` (docs.stripe.com/rate-limits)."""


RATE_REFUSALS = frozenset(_OF_REASON.values()) - {Feedback.FINE}


def feedback_of(attempt: Attempt) -> Feedback:
    """Return what an attempt says about the account. A `lock_timeout` concerns one object and slows nobody else down.

    A rate refusal without a reason counts against the operation, because callers that only create meet that limit
    first.
    """
    if isinstance(attempt, NotSent | Unknown):
        return Feedback.FAILED
    if not isinstance(attempt, RefusedInFront) or attempt.http_status != TOO_MANY_REQUESTS:
        return Feedback.FINE
    if attempt.error.get("code") == "lock_timeout":
        return Feedback.FINE
    return _OF_REASON.get(attempt.rate_limited_reason or "endpoint-rate", Feedback.OPERATION_RATE)


def refuses_key(attempt: Attempt) -> bool:
    """Return whether Stripe refused the key itself, for this operation or for all."""
    return isinstance(attempt, RefusedInFront) and attempt.http_status in (UNAUTHORIZED, FORBIDDEN)


def shows_key_taken(attempt: Attempt) -> bool:
    """Return whether Stripe took the key: it answered, or refused the request for another reason.

    A 429 shows nothing, because Stripe may count a call before it looks at the key.
    """
    if isinstance(attempt, RefusedInFront):
        return not refuses_key(attempt) and attempt.http_status != TOO_MANY_REQUESTS
    return isinstance(attempt, Answered)
