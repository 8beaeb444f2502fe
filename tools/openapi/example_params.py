"""Makes realistic parameters of an operation from its schema alone, so that a new operation needs no line here.

An example has the required fields, the fields that describe the object, and one field with its owner.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paydispatch.domain.parameters.check import parameter_schema

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from openapi.references import Node

_BELONGS_TO = ("payment_intent", "product", "customer", "email")
"""An example has the first of these fields only, because a refund of a payment needs no customer."""

_IS = frozenset(
    {
        "amount",
        "duration",
        "items",
        "line_items",
        "mode",
        "name",
        "percent_off",
        "price",
        "quantity",
        "success_url",
        "unit_amount",
    }
)

_VALUES: Mapping[str, Any] = {
    "amount": 2000,
    "customer": "cus_customer123",
    "duration": "once",
    "email": "ada@example.com",
    "name": "Earl Grey",
    "payment_intent": "pi_payment123",
    "percent_off": 25,
    "price": "price_tea123",
    "product": "prod_tea123",
    "quantity": 1,
    "success_url": "https://example.com/thanks",
    "unit_amount": 2000,
}

_METADATA = {"order": "1001"}

_OF_FORMAT: Mapping[str, Any] = {"currency": "usd", "decimal": "12.5", "unix-time": 1_800_000_000}

_OF_TYPE: Mapping[str, Any] = {"boolean": True, "integer": 1, "number": 1.5, "string": "text"}


def example_params(operation: str) -> dict[str, Any]:
    """Return parameters that the API accepts. Raises `UnknownOperation`."""
    return example_of(parameter_schema(operation))


def example_of(schema: Node) -> dict[str, Any]:
    """Return parameters that the schema accepts."""
    metadata = {"metadata": _METADATA} if "metadata" in schema["properties"] else {}
    return _object(schema, schema) | metadata


def _object(node: Node, root: Node) -> dict[str, Any]:
    fields: Node = node.get("properties", {})
    wanted = {*_IS, *node.get("required", ()), *_owner(fields)}
    return {name: _value(name, part, root) for name, part in fields.items() if name in wanted}


def _owner(fields: Node) -> Sequence[str]:
    return [name for name in _BELONGS_TO if name in fields][:1]


def _value(name: str, node: Node, root: Node) -> Any:
    if "$ref" in node:
        return _value(name, root["$defs"][node["$ref"].rpartition("/")[2]], root)
    if name in _VALUES and node.get("type") != "object":
        return _VALUES[name]
    if "anyOf" in node:
        return _value(name, node["anyOf"][0], root)
    if "enum" in node:
        return node["enum"][0]
    if node["type"] == "object":
        return _object(node, root)
    if node["type"] == "array":
        return [_value("", node["items"], root)]
    return _OF_FORMAT.get(node.get("format", ""), _OF_TYPE[node["type"]])
