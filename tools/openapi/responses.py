"""The answers in the document, with status, headers, schema and examples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openapi import examples, references

if TYPE_CHECKING:
    from openapi.references import Node

HEADERS: dict[str, Node] = {
    "Location": {
        "description": "The path of the request's status.",
        "schema": {"type": "string", "pattern": "^/v1/requests/[!-z|~]{1,255}$"},
    },
    "Idempotent-Replayed": {
        "description": "Present if the key was used before with the same body. The answer repeats the first.",
        "schema": {"const": "true"},
    },
    "Preference-Applied": {
        "description": "Present if the call waited for the outcome: `wait=10`.",
        "schema": {"type": "string", "pattern": "^wait=[0-9]+$"},
    },
    "Retry-After": {
        "description": "The seconds to wait before the same call.",
        "schema": {"type": "integer", "minimum": 1},
    },
}

_GATEWAY = "gateway_answer"
_EXPLAINED: dict[int, tuple[str, str, tuple[str, ...]]] = {
    200: (
        "settled",
        "The outcome came within the time that the caller preferred to wait. Its flow runs all the same.",
        ("request_status",),
    ),
    202: (
        "accepted",
        "The queue has the request. Its outcome runs a flow of the worker.",
        ("accepted",),
    ),
    400: ("malformed", "The body, a field of it or a header is malformed.", ("error_answer",)),
    401: ("not_signed_in", "The caller is not authenticated.", ("error_answer", _GATEWAY)),
    403: ("forbidden", "The caller may not do this.", (_GATEWAY,)),
    404: ("not_found", "There is no such request of this tenant.", ("error_answer",)),
    409: ("key_reused", "The Idempotency-Key was used with another body.", ("error_answer",)),
    413: (
        "too_large",
        "The request is larger than a queue message may be.",
        ("error_answer", _GATEWAY),
    ),
    422: ("params_refused", "Stripe's schema refuses the parameters.", ("params_refused",)),
    500: (
        "fault",
        "An error of paydispatch. Send the request again under the same key.",
        ("error_answer", _GATEWAY),
    ),
    503: (
        "unavailable",
        "A service behind the API is unreachable. Nothing was accepted, unless the code is `maybe_accepted`.",
        ("unavailable_answer", _GATEWAY),
    ),
}
"""By status: the component, its description, and the schemas that its body may have."""


def answers(*statuses: int) -> Node:
    """Return references to the answers with these statuses."""
    return {str(status): references.response(_EXPLAINED[status][0]) for status in statuses}


def common_responses() -> dict[str, Node]:
    """Return the responses that several operations have."""
    found = examples.refusals() | {
        200: examples.outcomes(),
        202: {"accepted": {"value": examples.acceptance_body()}},
        400: examples.bad_bodies(),
        422: {"two_faults": {"value": examples.params_refusal_body()}},
        403: {"forbidden": {"value": {"message": "Forbidden"}}},
    }
    shared = {
        name: json_response(meaning, _one_of(schemas), examples=found[status])
        for status, (name, meaning, schemas) in _EXPLAINED.items()
    }
    shared["unavailable"]["headers"] = headers("Retry-After")
    for name in ("settled", "accepted"):
        shared[name]["headers"] = headers("Location", "Idempotent-Replayed", "Preference-Applied")
    return shared


def json_response(description: str, schema: Node, **example: Any) -> Node:
    """Return a response with a JSON body. `example` is either `example=` or `examples=`."""
    content = {"application/json": {"schema": schema, **example}}
    return {"description": description, "content": content}


def headers(*names: str) -> Node:
    return {name: references.header(name) for name in names}


def _one_of(names: tuple[str, ...]) -> Node:
    if len(names) == 1:
        return references.schema(names[0])
    return {"oneOf": [references.schema(name) for name in names]}
