"""The schemas of the request bodies, a create and a batch, with an example of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openapi import references
from openapi.example_params import example_params
from openapi.parameters import params_name
from paydispatch.domain.limits import BATCH_ITEMS_LIMIT, DEFAULT_DEADLINE_S, LONGEST_DEADLINE_S
from paydispatch.domain.stripe.resources import RESOURCES, Resource

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
    "idempotency_key": {
        "description": "As the header `Idempotency-Key`, for batch items and for callers that cannot set headers.",
        "type": "string",
        "minLength": 1,
        "maxLength": LONGEST_KEY,
    },
}


def request_schemas() -> dict[str, Node]:
    schemas = dict(_FIELDS)
    for row in RESOURCES:
        schemas[create_name(row)] = _create(row)
        schemas[_item_name(row)] = {
            "allOf": [references.schema(create_name(row)), {"required": ["object"]}]
        }
    return schemas | {"batch": _batch()}


def create_name(row: Resource) -> str:
    """Return the component name of the body of a create, such as `price_create`."""
    return f"{row.identifier}_create"


def example_body(row: Resource) -> dict[str, Any]:
    return {
        "worker_id": "payment-worker-1",
        "context_id": "context-123",
        "stripe_secret": "sk_test_example",
        "params": example_params(row.operation),
    }


def example_named_body(row: Resource) -> dict[str, Any]:
    """Return the same body with a `secret_ref` instead of the key."""
    body = example_body(row) | {"secret_ref": "shop"}
    del body["stripe_secret"]
    return body


def example_batch() -> dict[str, Any]:
    return {
        "requests": [{"object": row.name, **example_named_body(row)} for row in RESOURCES[:2]],
    }


def _create(row: Resource) -> Node:
    return {
        "type": "object",
        "required": ["worker_id", "context_id", "params"],
        "oneOf": [{"required": ["stripe_secret"]}, {"required": ["secret_ref"]}],
        **_NEEDS_CONTEXT,
        "additionalProperties": False,
        "properties": {
            "object": {"const": row.name},
            **{name: references.schema(name) for name in _FIELDS},
            "params": references.schema(params_name(row)),
        },
    }


def _item_name(row: Resource) -> str:
    return f"{row.identifier}_batch_item"


def _batch() -> Node:
    items = {row.name: references.schema(_item_name(row)) for row in RESOURCES}
    mapping = {name: item["$ref"] for name, item in items.items()}
    requests = {
        "description": "An error of one item is reported in its place, and the other items are still accepted.",
        "type": "array",
        "minItems": 1,
        "maxItems": BATCH_ITEMS_LIMIT,
        "items": {
            "oneOf": list(items.values()),
            "discriminator": {"propertyName": "object", "mapping": mapping},
        },
    }
    return {"type": "object", "required": ["requests"], "properties": {"requests": requests}}
