"""Make a random body keep the rules across fields, which the document has only in prose."""

from collections.abc import Callable, Iterator
from typing import Any

Body = dict[str, Any]

UNIT = ("unit_amount", "unit_amount_decimal")
WITH_RULES = frozenset(
    {
        "create_checkout_session",
        "create_coupon",
        "create_invoice",
        "create_payment_intent",
        "create_payment_link",
        "create_price",
        "create_product",
        "create_refund",
        "create_subscription",
        "update_invoice",
        "update_subscription",
    }
)
"""The operations with rules across fields."""

FLAT = ("flat_amount", "flat_amount_decimal")


def repair(operation: str, body: Body) -> Body:
    """Change `body` so that it breaks no rule across fields. Return it."""
    for name, node in _named_objects("", body):
        if (
            name in _NESTED
            and operation in WITH_RULES
            and not (name == "line_items" and operation == "create_payment_intent")
        ):
            _NESTED[name](node)
    _TOP.get(operation, lambda _: None)(body)
    return body


def _named_objects(name: str, value: Any) -> Iterator[tuple[str, Body]]:
    """Yield each object inside `value` with the name of the field that holds it, innermost first."""
    if isinstance(value, list):
        for entry in value:
            yield from _named_objects(name, entry)
    if isinstance(value, dict):
        for inner, member in value.items():
            yield from _named_objects(inner, member)
        if name == "currency_options":
            yield from (("currency_option", member) for member in value.values())
        yield name, value


def _keep_one(node: Body, *names: str) -> None:
    given = [name for name in names if node.get(name) not in (None, {}, [])]
    for name in names:
        if name not in given[:1]:
            node.pop(name, None)


def _set_one(node: Body, default: Any, *names: str) -> None:
    _keep_one(node, *names)
    if not any(name in node for name in names):
        node[names[0]] = default


def _repair_tier(node: Body) -> None:
    _keep_one(node, *FLAT)
    _set_one(node, 100, *UNIT)


def _repair_item(node: Body) -> None:
    node.pop("plan", None)
    _set_one(node, "price_1", "price", "price_data")


def _repair_price_data(node: Body) -> None:
    _set_one(node, 100, *UNIT)
    _set_one(node, "prod_1", "product", "product_data")


def _repair_price(body: Body) -> None:
    _set_one(body, "prod_1", "product", "product_data")
    _set_one(body, 100, *UNIT)
    body.pop("transform_quantity" if body.get("tiers") else "", None)
    if body.get("tiers"):
        body["billing_scheme"] = "tiered"


def _repair_coupon(body: Body) -> None:
    _set_one(body, 10, "percent_off", "amount_off")
    if "amount_off" in body:
        body.setdefault("currency", "eur")
    if body.get("duration") == "repeating":
        body.setdefault("duration_in_months", 3)
    else:
        body.pop("duration_in_months", None)


def _repair_subscription(body: Body) -> None:
    _set_one(body, "cus_1", "customer", "customer_account")
    _keep_one(body, "billing_cycle_anchor", "billing_cycle_anchor_config")


def _repair_refund(body: Body) -> None:
    if "origin" not in body and "charge" not in body:
        body.setdefault("payment_intent", "pi_1")


_NESTED: dict[str, Callable[[Body], None]] = {
    "tiers": _repair_tier,
    "currency_option": lambda node: _keep_one(node, *UNIT),
    "price_data": _repair_price_data,
    "default_price_data": lambda node: _set_one(node, 100, *UNIT, "custom_unit_amount"),
    "line_items": _repair_item,
    "items": _repair_item,
    "add_invoice_items": _repair_item,
    "discounts": lambda node: _set_one(node, "coupon_1", "coupon", "discount", "promotion_code"),
}

_TOP: dict[str, Callable[[Body], None]] = {
    "create_price": _repair_price,
    "create_coupon": _repair_coupon,
    "create_subscription": _repair_subscription,
    "create_refund": _repair_refund,
}
