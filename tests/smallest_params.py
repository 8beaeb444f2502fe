"""The smallest parameters that an operation takes, made from its schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paydispatch.domain.parameters.check import check_params, parameter_schema

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paydispatch.domain.stripe.operations import Operation

ONE_OF: Mapping[str, Mapping[str, Any]] = {
    "create_checkout_session": {
        "mode": "setup",
        "currency": "usd",
        "success_url": "https://example.com",
    },
    "create_coupon": {"percent_off": 10},
    "create_price": {"product": "@product", "unit_amount": 500},
    "create_refund": {"payment_intent": "@payment_intent"},
    "create_customer_subscription": {"trial_period_days": 7},
    "create_payment_link": {"line_items": [{"price": "@price", "quantity": 1}]},
    "create_subscription": {"customer": "@customer", "trial_period_days": 7},
    "create_payment_intent": {"amount": 2000},
    "pay_invoice": {"payment_method": "pm_card_visa"},
}
"""The parameters that a rule across fields asks for, and that the schema of the operation cannot name."""


def smallest_params(operation: Operation) -> dict[str, Any]:
    """Return parameters that the check accepts. The caller fills the references, such as `@product`."""
    schema = parameter_schema(operation.name)
    made = _smallest(schema, schema.get("$defs", {}))
    return {**made, **ONE_OF.get(operation.name, {})}


def is_accepted(operation: Operation, params: Mapping[str, Any]) -> bool:
    return not check_params(operation.name, params)


def _smallest(schema: Mapping[str, Any], shared: Mapping[str, Any], name: str = "") -> Any:
    if "$ref" in schema:
        return _smallest(shared[schema["$ref"].rpartition("/")[2]], shared, name)
    if "anyOf" in schema:
        return _smallest(schema["anyOf"][0], shared, name)
    if "const" in schema or "enum" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    if schema["type"] == "object":
        return _smallest_object(schema, shared)
    if schema["type"] == "array":
        return [_smallest(schema["items"], shared, name)]
    return _scalar(schema, name)


def _smallest_object(schema: Mapping[str, Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    """Return the required fields. An object without any has its first one, because a form has no empty objects."""
    fields = schema.get("properties", {})
    if "title" in schema:
        return {each: _smallest(fields[each], shared, each) for each in schema.get("required", ())}
    if not fields:
        return {"key": "value"}
    needed = schema.get("required") or [next(iter(fields))]
    return {each: _smallest(fields[each], shared, each) for each in needed}


def _scalar(schema: Mapping[str, Any], name: str) -> Any:
    if schema["type"] in ("integer", "number"):
        return 2000
    if schema["type"] == "boolean":
        return True
    return TEXTS.get(name, "@" + name)


TEXTS = {"currency": "usd", "country": "US", "name": "Tea", "email": "ada@example.com"}
"""The values of texts that are no ids."""
