"""Make the errors that error flows get: one function for each kind of end.

Every function returns a `ParsedError` as a worker makes it. Pass it to `run_flow`, or to a script's `run` yourself.
"""

from __future__ import annotations

from typing import Any

from paydispatch.domain.outcomes import Certainty, Error, ErrorKind
from paydispatch.flow import FLOW_FAILED, ParsedError


def declined(
    decline_code: str = "generic_decline",
    *,
    code: str = "card_declined",
    message: str = "Your card was declined.",
    param: str | None = None,
) -> ParsedError:
    """Return the error for a declined card (402). Stripe keeps a payment intent, unpaid."""
    return _error(
        kind=ErrorKind.API,
        type="card_error",
        code=code,
        decline_code=decline_code,
        message=message,
        param=param,
        http_status=402,
        answered=True,
    )


def refused(
    param: str | None = None,
    *,
    code: str | None = None,
    message: str | None = None,
    type: str = "invalid_request_error",  # noqa: A002 - Stripe's own name
    http_status: int = 400,
) -> ParsedError:
    """Return the error for a request that Stripe refuses: `refused("customer", code="resource_missing")`."""
    return _error(
        kind=ErrorKind.API,
        type=type,
        code=code,
        param=param,
        message=message or f"Stripe refused {param or 'the request'}.",
        http_status=http_status,
    )


def unknown(
    code: str = "timeout", *, message: str = "No answer within 80 s.", attempts: int = 3
) -> ParsedError:
    """Return the error for a request whose answer was lost. It may have had its effect."""
    return _error(
        kind=ErrorKind.HTTP,
        code=code,
        message=message,
        attempts=attempts,
        certainty=Certainty.UNKNOWN,
    )


def gave_up(
    code: str = "deadline_exceeded",
    *,
    message: str = "The deadline passed before the next call.",
    http_status: int | None = None,
    attempts: int = 3,
) -> ParsedError:
    """Return the error for a request that was never executed, because a bound was reached before a call succeeded.

    `gave_up("rate_limit", http_status=429)`: Stripe still refused at the deadline.
    """
    return _error(
        kind=ErrorKind.HTTP, code=code, message=message, http_status=http_status, attempts=attempts
    )


def flow_failed(message: str = "ValueError: the script raised") -> ParsedError:
    """Return the error that follows a response script which failed for good. Stripe did execute the request."""
    return _error(
        kind=ErrorKind.DISPATCHER,
        code=FLOW_FAILED,
        message=message,
        certainty=Certainty.UNKNOWN,
    )


def _error(**fields: Any) -> ParsedError:
    defaults = {"attempts": 1, "certainty": Certainty.NOT_CREATED}
    answered_by_stripe = fields["kind"] is ErrorKind.API
    stripe_request_id = "req_test" if answered_by_stripe else None
    return ParsedError(Error(**{**defaults, "stripe_request_id": stripe_request_id, **fields}))
