"""Answers as the document has them: status, headers, schema and examples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openapi import examples, references

if TYPE_CHECKING:
    from openapi.references import Node

HEADERS: dict[str, Node] = {
    "Location": {
        "description": "Where the request's status is.",
        "schema": {"type": "string", "pattern": "^/v1/requests/[!-z|~]{1,255}$"},
    },
    "Idempotent-Replayed": {
        "description": "There when the key was used before with the same body: this is the first answer again.",
        "schema": {"const": "true"},
    },
    "Retry-After": {
        "description": "Seconds after which the same call may be made again.",
        "schema": {"type": "integer", "minimum": 1},
    },
}

_GATEWAY = "gateway_answer"
_EXPLAINED: dict[int, tuple[str, str, tuple[str, ...]]] = {
    400: ("malformed", "The body, a field of it or a header is malformed.", ("error_answer",)),
    401: ("not_signed_in", "Nobody vouches for the caller.", ("error_answer", _GATEWAY)),
    403: ("forbidden", "The caller may not do this.", (_GATEWAY,)),
    404: ("not_found", "No such request, or not yours.", ("error_answer",)),
    409: ("key_reused", "The Idempotency-Key was used with another body.", ("error_answer",)),
    413: ("too_large", "More than a queue message holds.", ("error_answer", _GATEWAY)),
    500: ("fault", "Our own fault. Send it again under the same key.", ("error_answer", _GATEWAY)),
    503: (
        "unavailable",
        "Nothing was accepted, unless the code is `maybe_accepted`: a service behind the API cannot be reached.",
        ("unavailable_answer", _GATEWAY),
    ),
}
"""Status → its component, what it means, and the schemas its body may have."""


def refusals(*statuses: int) -> Node:
    """The named errors, for an operation."""
    return {str(status): references.response(_EXPLAINED[status][0]) for status in statuses}


def shared_responses() -> dict[str, Node]:
    """The errors that several operations have."""
    found = examples.refusals() | {
        400: examples.malformed(),
        403: {"forbidden": {"value": {"message": "Forbidden"}}},
    }
    shared = {
        name: json_response(meaning, _one_of(schemas), examples=found[status])
        for status, (name, meaning, schemas) in _EXPLAINED.items()
    }
    shared["unavailable"]["headers"] = headers("Retry-After")
    return shared


def json_response(description: str, schema: Node, **example: Any) -> Node:
    """`example` is `example=` or `examples=`."""
    content = {"application/json": {"schema": schema, **example}}
    return {"description": description, "content": content}


def headers(*names: str) -> Node:
    return {name: references.header(name) for name in names}


def _one_of(names: tuple[str, ...]) -> Node:
    if len(names) == 1:
        return references.schema(names[0])
    return {"oneOf": [references.schema(name) for name in names]}
