"""Small, complete test values. A test names only the fields that it is about."""

from __future__ import annotations

import json
from typing import Any

from paydispatch.domain.attempts import Answered, NotSent, RefusedInFront, Unknown
from paydispatch.domain.credentials import Binding, SecretRef, StripeKey
from paydispatch.domain.entry import OutcomeEntry
from paydispatch.domain.envelope import Envelope
from paydispatch.domain.outcomes import Certainty, Error, ErrorKind, Response
from paydispatch.domain.progress import Progress
from paydispatch.domain.requests import OperationRequest
from paydispatch.domain.stripe.operations import operation_named

NOW_S = 1_800_000_000.0
"""The time at which `MemoryClock` starts."""

KEY = "sk_test_" + "Hush" * 6
"""Not a real key. Tests search for it in places where no key may be."""

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE_ID}-00f067aa0ba902b7-01"

SECRET_REF = "shop"
"""The named secret that envelopes carry unless a test says otherwise."""

PARAMS: dict[str, Any] = {"amount": 2000, "currency": "usd"}
"""Valid for a payment_intent."""

IN_AN_HOUR = Progress(deadline_at=NOW_S + 3600)

FARTHEST = Progress(
    deadline_at=253402300798.12344,
    attempt=1_000_000,
    maybe_executed=False,  # a letter longer than true
    first_sent_at=253402300798.12344,
    store_waits=1_000_000,
    fresh_starts=1_000_000,
)
"""The longest progress that the schema of the envelope allows, with every field set."""


def create_request(**changes: Any) -> OperationRequest:
    """Return the checked request of a create of a payment_intent. A change to `operation` is a name."""
    fields: dict[str, Any] = {
        "operation": "create_payment_intent",
        "params": dict(PARAMS),
        "worker_id": "worker-1",
        "context_id": "context-1",
        "credential": StripeKey(KEY),
        **changes,
    }
    fields["operation"] = operation_named(fields["operation"])
    return OperationRequest(**fields)


def body(**changes: Any) -> dict[str, Any]:
    """Return the JSON body of a create. A change to `None` leaves the field out."""
    fields = {
        "worker_id": "worker-1",
        "context_id": "context-1",
        "stripe_secret": KEY,
        "params": dict(PARAMS),
    }
    return {name: value for name, value in {**fields, **changes}.items() if value is not None}


def envelope(**changes: Any) -> Envelope:
    fields: dict[str, Any] = {
        "request_id": "pdr_1",
        "object": "payment_intent",
        "params": dict(PARAMS),
        "worker_id": "worker-1",
        "context_id": "context-1",
        "accepted_at": NOW_S,
        "progress": IN_AN_HOUR,
    }
    if "sealed_secret" not in changes:
        fields["secret_ref"] = SECRET_REF
    return Envelope(**{**fields, **changes})


def message(**changes: Any) -> dict[str, Any]:
    """Return the message of a direct producer before it becomes text."""
    fields = {
        "v": 1,
        "object": "payment_intent",
        "params": dict(PARAMS),
        "worker_id": "worker-1",
        "context_id": "context-1",
        "secret_ref": SECRET_REF,
    }
    return {name: value for name, value in {**fields, **changes}.items() if value is not None}


def message_text(**changes: Any) -> str:
    return json.dumps(message(**changes))


def entry(**changes: Any) -> OutcomeEntry:
    fields: dict[str, Any] = {
        "request_id": "pdr_1",
        "object": "payment_intent",
        "worker_id": "worker-1",
        "context_id": "context-1",
        "params": dict(PARAMS),
        "outcome": make_success(),
        "settled_at": NOW_S,
        "principal": "local",
        "sealed_secret": "sealed-1",
    }
    return OutcomeEntry(**{**fields, **changes})


def make_success(**changes: Any) -> Response:
    return Response(**{"body": {"id": "pi_1"}, "attempts": 1, **changes})


def make_failure(**changes: Any) -> Error:
    fields: dict[str, Any] = {
        "kind": ErrorKind.API,
        "message": "No such customer",
        "attempts": 1,
        "certainty": Certainty.NOT_CREATED,
    }
    return Error(**{**fields, **changes})


BINDING = Binding("local", "worker-1", "context-1")
NAMED = SecretRef(SECRET_REF)

CREATED = Answered(200, {"id": "pi_1", "object": "payment_intent"}, "req_1")
REPLAYED = Answered(200, {"id": "pi_1", "object": "payment_intent"}, "req_2", replayed=True)
TIMED_OUT = Unknown("no answer within 80 s", "timeout")
NO_CONNECTION = NotSent("connection refused")
DECLINED = Answered(
    402,
    {
        "error": {
            "type": "card_error",
            "code": "card_declined",
            "decline_code": "insufficient_funds",
            "param": "payment_method",
            "message": "Your card has insufficient funds.",
        }
    },
    "req_3",
)


def make_refusal(
    http_status: int, *, should_retry: bool | None = None, **error: Any
) -> RefusedInFront:
    return RefusedInFront(http_status, {"message": "no", **error}, should_retry, "req_4")
