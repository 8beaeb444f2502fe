"""The operations of the API: one create per row of the table, and four others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openapi import examples, references
from openapi.request_bodies import (
    LONGEST_KEY,
    create_name,
    example_batch,
    example_body,
    example_named_body,
)
from openapi.responses import headers, json_response, refusals
from paydispatch.domain.limits import BATCH_ITEMS_LIMIT
from paydispatch.domain.stripe.resources import RESOURCES, Resource

if TYPE_CHECKING:
    from openapi.references import Node

PARAMETERS: dict[str, Node] = {
    "Idempotency-Key": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "The same key and body from the same tenant are the same request, with "
        "one `request_id` and one Stripe object.",
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
    "request_id": {
        "name": "request_id",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "minLength": 1},
        "example": examples.REQUEST_ID,
    },
}

_OPEN: Node = {"security": []}


def paths() -> dict[str, Node]:
    creates = {row.endpoint: {"post": _create(row)} for row in RESOURCES}
    return creates | {
        "/v1/batches": {"post": _create_batch()},
        "/v1/requests/{request_id}": {"get": _status()},
        "/v1/openapi.json": {"get": _OPEN | _openapi()},
        "/health": {"get": _OPEN | _health()},
    }


def _create(row: Resource) -> Node:
    said = {
        "key": {"value": example_body(row)},
        "named_key": {"value": example_named_body(row)},
    }
    accepted = json_response(
        "The queue has the request. Its outcome runs a flow of the worker.",
        references.schema("accepted"),
        example=examples.acceptance_body(row),
    )
    accepted["headers"] = headers("Location", "Idempotent-Replayed")
    refused = json_response(
        "Stripe's schema refuses the parameters.",
        references.schema("params_refused"),
        example=examples.params_refusal_body(row),
    )
    return {
        "operationId": f"create_{row.identifier}",
        "summary": f"Create one {row.name}",
        "tags": ["creates"],
        "parameters": _parameters("Idempotency-Key", "traceparent"),
        "requestBody": _request_body(create_name(row), said),
        "responses": {
            "202": accepted,
            **refusals(400, 401, 403, 409, 413),
            "422": refused,
            **refusals(500, 503),
        },
    }


def _create_batch() -> Node:
    answered = json_response(
        "One result per request, in order.",
        references.schema("batch_answer"),
        example=examples.batch_body(),
    )
    return {
        "operationId": "create_batch",
        "summary": f"Create 1 to {BATCH_ITEMS_LIMIT:,} objects of any kind",
        "tags": ["creates"],
        "parameters": _parameters("batch-Idempotency-Key", "traceparent"),
        "requestBody": _request_body("batch", {"two": {"value": example_batch()}}),
        "responses": {"202": answered, **refusals(400, 401, 403, 413, 500, 503)},
    }


def _status() -> Node:
    found = json_response(
        "The status of the request.",
        references.schema("request_status"),
        examples=examples.statuses(),
    )
    return {
        "operationId": "get_request",
        "summary": "Get the status of a request",
        "tags": ["requests"],
        "parameters": _parameters("request_id"),
        "responses": {"200": found, **refusals(400, 401, 403, 404, 500, 503)},
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
        "responses": {"200": healthy, **refusals(503)},
    }


def _parameters(*names: str) -> list[Node]:
    return [references.parameter(name) for name in names]


def _request_body(schema: str, said: dict[str, Any]) -> Node:
    content = {"schema": references.schema(schema), "examples": said}
    return {"required": True, "content": {"application/json": content}}
