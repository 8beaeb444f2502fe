"""The schemas of the request bodies, one per operation and the batch, with an example of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openapi import references
from openapi.example_params import example_params
from openapi.parameters import params_name
from paydispatch.domain.limits import BATCH_ITEMS_LIMIT, DEFAULT_DEADLINE_S, LONGEST_DEADLINE_S
from paydispatch.domain.parameters.check import parameter_schema
from paydispatch.domain.stripe.operations import (
    LONGEST_ID,
    Operation,
    all_operations,
    operation_named,
)
from paydispatch.domain.stripe.resources import create_of

if TYPE_CHECKING:
    from openapi.references import Node

LONGEST_KEY = 255

_NEEDS_CONTEXT: Node = {
    "if": {
        "required": ["stripe_secret"],
        "properties": {"stripe_secret": {"type": "string", "pattern": "^sk_org"}},
    },
    "then": {"required": ["stripe_context"]},
}
"""Requires `stripe_context` with the key of an organization, because such a key belongs to no account."""

_FIELDS: dict[str, Node] = {
    "worker_id": {
        "description": "The worker that runs the flow for the outcome.",
        "type": "string",
        "pattern": "^[!-z|~]{1,128}$",
    },
    "context_id": {
        "description": "The conversation of this request. Flows of one context run one after the other.",
        "type": "string",
        "minLength": 1,
        "maxLength": 255,
        "pattern": "^[^\\u0000-\\u001f\\u007f]+$",
    },
    "stripe_secret": {
        "description": "A Stripe secret or restricted key. It is sealed at once and never shown again.",
        "type": "string",
        "pattern": "^(sk_test_|sk_live_|rk_test_|rk_live_|sk_org)[!-~]*$",
        "writeOnly": True,
    },
    "secret_ref": {
        "description": "Instead of the key: the secret `paydispatch/{tenant}/{secret_ref}` in Secrets Manager.",
        "type": "string",
        "pattern": "^[A-Za-z0-9_+=.@-]{1,128}$",
    },
    "lane": {
        "description": "Interactive requests may use all of Stripe's rate limit, and batch requests a share of it.",
        "enum": ["interactive", "batch"],
        "default": "interactive",
    },
    "deadline_s": {
        "description": "The seconds from now after which paydispatch gives the request up.",
        "type": "number",
        "exclusiveMinimum": 0,
        "maximum": int(LONGEST_DEADLINE_S),
        "default": int(DEFAULT_DEADLINE_S),
    },
    "stripe_account": {
        "description": "The connected account to act for, sent as the header `Stripe-Account`.",
        "type": "string",
        "pattern": "^[A-Za-z0-9_/-]{1,128}$",
    },
    "stripe_context": {
        "description": "The account in which the key of an organization (`sk_org…`) acts, "
        "sent as the header `Stripe-Context`. It is one account id, or several from the outermost to the innermost.",
        "type": "string",
        "maxLength": 255,
        "pattern": "^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$",
    },
    "unchecked_params": {
        "description": "Parameters that are merged into `params` without a check against Stripe's schema. They are for "
        "what Stripe takes and no document lists. Stripe keys and raw card data are refused here too.",
        "type": "object",
    },
    "traceparent": {
        "description": "As the header `traceparent`, for batch items. An invalid value is ignored.",
        "type": "string",
    },
    "idempotency_key": {
        "description": "As the header `Idempotency-Key`, for batch items and for callers that cannot set headers.",
        "type": "string",
        "minLength": 1,
        "maxLength": LONGEST_KEY,
    },
}


def request_schemas() -> dict[str, Node]:
    bodies = {request_name(operation): _request(operation) for operation in all_operations()}
    path_id: Node = {"type": "string", "minLength": 1, "maxLength": LONGEST_ID}
    return _FIELDS | {"path_id": path_id, "request": _common()} | bodies | {"batch": _batch()}


def request_name(operation: Operation) -> str:
    """Return the component name of the body of a request, such as `create_price_request`."""
    return f"{operation.name}_request"


def example_body(operation: Operation) -> dict[str, Any]:
    return {
        "worker_id": "payment-worker-1",
        "context_id": "context-123",
        "stripe_secret": "sk_test_example",
        "params": example_params(operation.name),
    }


def example_named_body(operation: Operation) -> dict[str, Any]:
    """Return the same body with a `secret_ref` instead of the key."""
    body = example_body(operation) | {"secret_ref": "shop"}
    del body["stripe_secret"]
    return body


def example_batch() -> dict[str, Any]:
    """Return a batch that names two operations by their objects, and one by its name and its ids."""
    product, price, capture = map(
        operation_named, ("create_product", "create_price", "capture_payment_intent")
    )
    named = {"operation": capture.name, "path": {"intent": "pi_payment123"}}
    creates = [{"object": row.object, **example_named_body(row)} for row in (product, price)]
    return {"requests": [*creates, {**named, **example_named_body(capture)}]}


def _common() -> Node:
    """Return the fields that the body of every request has."""
    return {
        "type": "object",
        "required": ["worker_id", "context_id"],
        "oneOf": [{"required": ["stripe_secret"]}, {"required": ["secret_ref"]}],
        **_NEEDS_CONTEXT,
        "properties": {name: references.schema(name) for name in _FIELDS},
    }


def _request(operation: Operation) -> Node:
    """Return the body of a request. It may repeat the operation of its URL, and as a batch item it must name it."""
    needs_params = "required" in parameter_schema(operation.name)
    return {
        "allOf": [references.schema("request")],
        **({"required": ["params"]} if needs_params else {}),
        "properties": {
            "operation": {"const": operation.name},
            "object": {"const": operation.object},
            "path": _path(operation),
            "params": references.schema(params_name(operation)),
        },
        "unevaluatedProperties": False,
    }


def _path(operation: Operation) -> Node:
    ids = {name: references.schema("path_id") for name in operation.path_names}
    required = {"required": list(ids)} if ids else {}
    return {"type": "object", **required, "additionalProperties": False, "properties": ids}


def _item(operation: Operation) -> Node:
    """Return a request as an item of a batch. The object alone means its create."""
    by_name: Node = {"required": ["operation"]}
    is_create = operation.name == create_of(operation.object)
    named: Node = {"anyOf": [by_name, {"required": ["object"]}]} if is_create else by_name
    with_ids = [{"required": ["path"]}] if operation.path_names else []
    return {"allOf": [references.schema(request_name(operation)), named, *with_ids]}


def _batch() -> Node:
    requests = {
        "description": "An error of one item is reported in its place, and the other items are still accepted.",
        "type": "array",
        "minItems": 1,
        "maxItems": BATCH_ITEMS_LIMIT,
        "items": {"oneOf": [_item(operation) for operation in all_operations()]},
    }
    return {"type": "object", "required": ["requests"], "properties": {"requests": requests}}
