"""The calls of the API: one per operation of the table, and six others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openapi import examples, references
from openapi.request_bodies import LONGEST_KEY, example_batch, example_body, request_name
from openapi.responses import answers, headers, json_response
from paydispatch.domain.limits import BATCH_ITEMS_LIMIT
from paydispatch.domain.stripe.operations import LONGEST_ID, Operation, all_operations
from paydispatch.handlers.api.preferences import LONGEST_WAIT_S

if TYPE_CHECKING:
    from openapi.references import Node

_OWN_PARAMETERS: dict[str, Node] = {
    "Idempotency-Key": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "The same key and body from the same tenant are the same request, with "
        "one `request_id` and one effect at Stripe.",
        "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY},
        "example": "order-1001",
    },
    "batch-Idempotency-Key": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "An item without a key gets one that is derived from this key and from its place in the list.",
        "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY},
        "example": "import-7",
    },
    "traceparent": {
        "name": "traceparent",
        "in": "header",
        "description": "W3C trace context, which is passed on with the request. An invalid value is ignored.",
        "schema": {"type": "string"},
    },
    "Prefer": {
        "name": "Prefer",
        "in": "header",
        "description": f"`wait=N` (RFC 7240): wait up to N seconds, {LONGEST_WAIT_S} at most, for the outcome. "
        "A preference that cannot be read is ignored.",
        "schema": {"type": "string"},
        "example": "wait=10",
    },
    "fingerprint": {
        "name": "fingerprint",
        "in": "query",
        "description": "The hash of the request that the caller means. If the id stands for another one, the answer "
        "is a 409. Otherwise the answer repeats it.",
        "schema": {"type": "string"},
    },
    "request_id": {
        "name": "request_id",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "minLength": 1},
        "example": examples.REQUEST_ID,
    },
}

_WEBHOOK: dict[str, Node] = {
    "webhook.name": {
        "name": "name",
        "in": "path",
        "required": True,
        "description": "The webhook, as in the name of its secret: `paydispatch/{tenant}/webhook/{name}`.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9_+=.@-]{1,128}$"},
        "example": "main",
    },
    "webhook.tenant": {
        "name": "tenant",
        "in": "path",
        "required": True,
        "description": "The tenant that the webhook belongs to. Without it, the tenant of the queue.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9_+=.@-]{1,128}$"},
        "example": "shop",
    },
    "Stripe-Signature": {
        "name": "Stripe-Signature",
        "in": "header",
        "required": True,
        "description": "Stripe's signature of the body, at most five minutes old.",
        "schema": {"type": "string"},
        "example": "t=1800000000,v1=5257a869e7ecebeda32affa62cdca3fa51cad7e77a0e56ff536d0ce8e108d8bd",
    },
}

_OPEN: Node = {"security": []}


def parameters() -> dict[str, Node]:
    names = {name for operation in all_operations() for name in operation.path_names}
    return (
        _OWN_PARAMETERS
        | _WEBHOOK
        | {_path_parameter(name): _id_in_path(name) for name in sorted(names)}
    )


def paths() -> dict[str, Node]:
    writes: dict[str, Node] = {}
    for operation in all_operations():
        writes.setdefault(operation.path, {})[operation.method.lower()] = _write(operation)
    return writes | {
        "/v1/batches": {"post": _create_batch()},
        "/v1/requests/{request_id}": {"get": _status()},
        "/v1/stripe/events/{name}": {"post": _OPEN | _take_event("take_event", "webhook.name")},
        "/v1/stripe/events/{tenant}/{name}": {
            "post": _OPEN | _take_event("take_event_of_tenant", "webhook.tenant", "webhook.name")
        },
        "/v1/openapi.json": {"get": _OPEN | _openapi()},
        "/health": {"get": _OPEN | _health()},
    }


def _path_parameter(name: str) -> str:
    """Return the component name of an id in a path."""
    return f"path.{name}"


def _id_in_path(name: str) -> Node:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_ID},
    }


def _write(operation: Operation) -> Node:
    """Return the call of one operation. All of them have the same answers."""
    ids = [_path_parameter(name) for name in operation.path_names]
    return {
        "operationId": operation.name,
        "summary": operation.name.replace("_", " ").capitalize(),
        "tags": ["operations"],
        "parameters": _parameters(*ids, "Idempotency-Key", "Prefer", "traceparent"),
        "requestBody": _request_body(
            request_name(operation), {"key": {"value": example_body(operation)}}
        ),
        "responses": answers(200, 202, 400, 401, 403, 409, 413, 422, 500, 503),
    }


def _create_batch() -> Node:
    answered = json_response(
        "One result per request, in order.",
        references.schema("batch_answer"),
        example=examples.batch_body(),
    )
    return {
        "operationId": "create_batch",
        "summary": f"Ask for 1 to {BATCH_ITEMS_LIMIT:,} operations of any kind",
        "tags": ["operations"],
        "parameters": _parameters("batch-Idempotency-Key", "traceparent"),
        "requestBody": _request_body("batch", {"three": {"value": example_batch()}}),
        "responses": {"202": answered, **answers(400, 401, 403, 413, 500, 503)},
    }


def _status() -> Node:
    found = json_response(
        "The status of the request.",
        references.schema("request_status"),
        examples=examples.statuses(),
    )
    found["headers"] = headers("Preference-Applied")
    return {
        "operationId": "get_request",
        "summary": "Get the status of a request",
        "tags": ["requests"],
        "parameters": _parameters("request_id", "fingerprint", "Prefer"),
        "responses": {"200": found, **answers(400, 401, 403, 404, 409, 500, 503)},
    }


def _take_event(name: str, *in_path: str) -> Node:
    """Return the call that Stripe makes. Its signature stands for a sign-in."""
    taken = json_response(
        "Stripe signed the event. `queued`: it concerns a request of paydispatch.",
        references.schema("event_taken"),
        example={"received": True, "queued": True},
    )
    return {
        "operationId": name,
        "summary": "Take an event that Stripe sends to a webhook",
        "tags": ["events"],
        "parameters": _parameters(*in_path, "Stripe-Signature"),
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"type": "object"}}},
        },
        "responses": {"200": taken, **answers(400, 404, 413, 500, 503)},
    }


def _openapi() -> Node:
    document = json_response("An OpenAPI 3.1 document.", {"type": "object"})
    return {
        "operationId": "get_openapi",
        "summary": "Get this document",
        "tags": ["service"],
        "responses": {"200": document},
    }


def _health() -> Node:
    healthy = json_response(
        "The API answers, and it can write to Redis.",
        references.schema("health"),
        example={"status": "ok"},
    )
    return {
        "operationId": "get_health",
        "summary": "Check that the API answers and can write to Redis",
        "tags": ["service"],
        "responses": {"200": healthy, **answers(503)},
    }


def _parameters(*names: str) -> list[Node]:
    return [references.parameter(name) for name in names]


def _request_body(schema: str, said: dict[str, Any]) -> Node:
    content = {"schema": references.schema(schema), "examples": said}
    return {"required": True, "content": {"application/json": content}}
