"""The modes of a Checkout session: payment, subscription and setup take different line items and data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydispatch.twin.objects.first_amounts import amount_of
from paydispatch.twin.rules.amounts import too_small
from paydispatch.twin.rules.currencies import smallest_charge
from paydispatch.twin.rules.prices import is_recurring, price_of
from paydispatch.twin.wire.errors import invalid_request

if TYPE_CHECKING:
    from paydispatch.twin.rules.situation import Situation

_ONLY_IN = {
    "payment_intent_data": "payment",
    "setup_intent_data": "setup",
    "subscription_data": "subscription",
}
_CHANGES_TOTAL = ("discounts", "shipping_options", "automatic_tax")


def check_mode(create: Situation) -> None:
    """Check the parameters that depend on `mode`."""
    mode = create.value("mode") or "payment"
    for name, needed in _ONLY_IN.items():
        if create.value(name) and mode != needed:
            raise invalid_request(f"You can not pass `{name}` in `{mode}` mode.", param=name)
    if mode == "setup":
        _refuse_line_items(create)
    else:
        _check_line_items(create, mode)


def _refuse_line_items(create: Situation) -> None:
    if create.value("line_items"):
        raise invalid_request("You can not pass `line_items` in `setup` mode.", param="line_items")


def _check_line_items(create: Situation, mode: str) -> None:
    if not create.value("line_items"):
        raise invalid_request(
            "Missing required param: line_items.", code="parameter_missing", param="line_items"
        )
    prices = [price_of(create, element) for _, element in create.elements("line_items")]
    recurring = [price is None or is_recurring(price) for price in prices]
    if mode == "subscription" and not any(recurring):
        raise invalid_request(
            "You must provide at least one recurring price in `subscription` mode when using prices.",
            param="line_items",
        )
    if mode == "payment":
        _check_payment(create)


def _check_payment(create: Situation) -> None:
    for name, element in create.elements("line_items"):
        price = price_of(create, element)
        if price is not None and is_recurring(price):
            raise invalid_request(
                "You specified `payment` mode but passed a recurring price. Either switch to "
                "`subscription` mode or use only one-time prices.",
                param=name + ("[price]" if element.get("price") else "[price_data][recurring]"),
            )
    _check_total(create)


def _check_total(create: Situation) -> None:
    """Refuse a total below the smallest charge. Nothing to pay is allowed, and so is a total that may change."""
    if any(create.value(name) for name in _CHANGES_TOTAL):
        return
    total, currency = 0, create.value("currency")
    for _, element in create.elements("line_items"):
        price = price_of(create, element) or {}
        currency = currency or price.get("currency")
        amount = amount_of(price, element.get("quantity"), currency)
        if amount is None:
            return
        total += amount
    if currency and 0 < total < smallest_charge(currency):
        must = "The Checkout Session's total amount due must add up to at least"
        raise too_small(must, currency)
