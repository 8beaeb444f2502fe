"""Stripe's error answers: the status, the `error` object, and the headers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_SPOKEN = {"payment_method": "PaymentMethod", "setup_intent": "setupintent"}
"""The names of objects in messages, where they are not those of the `object` field."""

_DOCS = "https://docs.stripe.com/error-codes/"


class StripeError(Exception):
    """An error answer of Stripe."""

    def __init__(
        self, status: int, error: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(error.get("message", ""))
        self.status = status
        self.error = {name: value for name, value in error.items() if value is not None}
        self.headers = dict(headers or {})

    def body(self, request_id: str) -> bytes:
        """Return the body of the answer, with the link to Stripe's request log."""
        log = f"https://dashboard.stripe.com/logs/{request_id}"
        return json.dumps({"error": {**self.error, "request_log_url": log}}).encode()


def invalid_request(
    message: str, *, code: str | None = None, param: str | None = None, status: int = 400
) -> StripeError:
    """Return an `invalid_request_error`, which the caller can only fix by changing the request."""
    error = {
        "type": "invalid_request_error",
        "code": code,
        "doc_url": code and _DOCS + code.replace("_", "-"),
        "message": message,
        "param": param,
    }
    return StripeError(status, error)


def no_key() -> StripeError:
    error = invalid_request(
        "You did not provide an API key. You need to provide your API key in the Authorization "
        "header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). "
        "See https://stripe.com/docs/api#authentication for details, "
        "or we can help at https://support.stripe.com/.",
        status=401,
    )
    error.headers["WWW-Authenticate"] = 'Basic realm="Stripe"'
    return error


def unknown_key() -> StripeError:
    """Return a 401. Stripe quotes a part of the key here, but the twin quotes nothing of it."""
    return invalid_request("Invalid API Key provided: ****************", status=401)


def publishable_key() -> StripeError:
    return invalid_request(
        "This API call cannot be made with a publishable API key. Please use a secret API key. "
        "You can find a list of your API keys at https://dashboard.stripe.com/account/apikeys.",
        code="secret_key_required",
        status=403,
    )


def no_permission() -> StripeError:
    """Return a 403 for a restricted key. Stripe quotes a part of the key here, but the twin quotes nothing of it."""
    return invalid_request(
        "The provided key '****************' does not have the required permissions for this endpoint.",
        status=403,
    )


def unknown_url(method: str, path: str) -> StripeError:
    return invalid_request(
        f"Unrecognized request URL ({method}: {path}). Please see https://stripe.com/docs "
        "or we can help at https://support.stripe.com/.",
        status=404,
    )


def unknown_parameter(param: str) -> StripeError:
    return invalid_request(
        f"Received unknown parameter: {param}", code="parameter_unknown", param=param
    )


def missing_object(kind: str, object_id: str, *, param: str, status: int) -> StripeError:
    """Return a `resource_missing`: 404 for an id in the path, 400 for an id in a parameter."""
    return invalid_request(
        f"No such {_SPOKEN.get(kind, kind)}: '{object_id}'",
        code="resource_missing",
        param=param,
        status=status,
    )


def unexpected_state(stripe_object: Mapping[str, Any], message: str) -> StripeError:
    """Return the refusal of an act that the status of an intent does not allow. Stripe shows the intent in it."""
    kind = str(stripe_object["object"])
    error = invalid_request(message, code=f"{kind}_unexpected_state")
    error.error[kind] = stripe_object
    return error


def existing_object(kind: str) -> StripeError:
    return invalid_request(
        f"{kind.replace('_', ' ').capitalize()} already exists.",
        code="resource_already_exists",
        param="id",
    )


def other_parameters(key: str) -> StripeError:
    return StripeError(
        400,
        {
            "type": "idempotency_error",
            "message": "Keys for idempotent requests can only be used with the same parameters "
            f"they were first used with. Try using a key other than '{key}' if you meant to "
            "execute a different request.",
        },
    )


def other_endpoint(key: str, first: str, now: str) -> StripeError:
    return StripeError(
        400,
        {
            "type": "idempotency_error",
            "message": "Keys for idempotent requests can only be used for the same endpoint "
            f"they were first used for ('{first}' vs '{now}'). Try using a key other than '{key}' "
            "if you meant to execute a different request.",
        },
    )


def key_in_use(key: str) -> StripeError:
    error = invalid_request(
        "There is currently another in-progress request using this Idempotent Key (that probably "
        f"means you submitted twice, and the other request is still going through): {key}. "
        "Please try again later.",
        code="idempotency_key_in_use",
        status=409,
    )
    error.headers["Stripe-Should-Retry"] = "true"
    return error


def rate_limited(reason: str | None) -> StripeError:
    """Return a 429. `reason` is one of Stripe's: `global-rate`, `endpoint-rate`, `global-concurrency` …"""
    error = invalid_request(
        "Request rate limit exceeded. Learn more about rate limits here "
        "https://stripe.com/docs/rate-limits.",
        code="rate_limit",
        status=429,
    )
    if reason is not None:
        error.headers["Stripe-Rate-Limited-Reason"] = reason
    return error


def lock_timeout() -> StripeError:
    """Return a 429 that concerns one object only, so that a retry succeeds and other calls need not slow down."""
    error = invalid_request(
        "This object cannot be accessed right now because another API request or Stripe process is "
        "currently accessing it. If you see this error intermittently, retry the request.",
        code="lock_timeout",
        status=429,
    )
    error.headers["Stripe-Should-Retry"] = "true"
    return error


def api_error(status: int) -> StripeError:
    return StripeError(
        status,
        {
            "type": "api_error",
            "message": "Sorry! There was an error while talking to one of our backends. "
            "Support has been notified.",
        },
    )


def card_error(decline: Mapping[str, Any]) -> StripeError:
    """Return a 402. `decline` has `code`, `message` and optional fields such as `decline_code` and `param`."""
    code = str(decline["code"])
    return StripeError(
        402, {"type": "card_error", "doc_url": _DOCS + code.replace("_", "-"), **decline}
    )
