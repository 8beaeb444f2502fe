"""A subscription that must charge at once needs a payment method to charge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paydispatch.twin.objects.first_amounts import amount_of, less_coupons
from paydispatch.twin.rules.currencies import smallest_charge
from paydispatch.twin.rules.prices import price_of
from paydispatch.twin.wire.errors import invalid_request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paydispatch.twin.rules.situation import Situation

_DAYS = {"day": 1, "week": 7, "month": 31, "year": 366}
_DAY_S = 86_400

CHARGED_LATER = (
    "trial_period_days",
    "trial_from_plan",
    "billing_cycle_anchor",
    "billing_cycle_anchor_config",
)
"""With these the first invoice is empty, or has an amount that the twin cannot know."""


def check_payment_method_to_charge(create: Situation) -> None:
    """Refuse a subscription whose first invoice no payment method can pay.

    `default_incomplete` waits for one. `allow_incomplete`, the default, needs one: it only keeps a subscription whose
    charge fails.
    """
    if _charges_later(create) or _has_payment_method(create):
        return
    due = _amount_due(create)
    if due is None:
        return
    amount, currency = due
    if amount >= smallest_charge(
        currency
    ):  # Stripe adds a smaller amount to the customer's balance
        raise invalid_request(
            "This customer has no attached payment source or default payment method. Please consider "
            "adding a default payment method. For more information, visit "
            "https://stripe.com/docs/billing/subscriptions/payment-methods-setting"
            "#payment-method-priority.",
            code="resource_missing",
        )


def _charges_later(create: Situation) -> bool:
    return (
        create.value("collection_method") == "send_invoice"
        or create.value("payment_behavior") == "default_incomplete"
        or create.value("trial_end") not in (None, "now")
        or any(create.value(name) for name in CHARGED_LATER)
    )


def _has_payment_method(create: Situation) -> bool:
    """Return whether the subscription or its customer has a default. An unknown customer may have one."""
    if create.value("default_payment_method") or create.value("default_source"):
        return True
    customer = create.find("customer", create.value("customer"))
    if customer is None:
        return True
    settings = customer.get("invoice_settings") or {}
    return bool(settings.get("default_payment_method") or customer.get("default_source"))


def _amount_due(create: Situation) -> tuple[int, str] | None:
    """Return the amount of the first invoice and its currency. None: the twin cannot know it."""
    elements = [element for path in _LISTS for _, element in create.elements(path)]
    prices = [price_of(create, element) for element in elements]
    known = [price for price in prices if price is not None]
    if not known or len(known) < len(prices) or any("discounts" in each for each in elements):
        return None
    currency = str(create.value("currency") or known[0]["currency"])
    amounts = [
        amount_of(price, element.get("quantity"), currency)
        for price, element in zip(known, elements, strict=True)
    ]
    if None in amounts:
        return None
    total = sum(amount for amount in amounts if amount is not None)
    return _after_discounts(create, total, currency)


_LISTS = ("items", "add_invoice_items")


def _after_discounts(create: Situation, amount: int, currency: str) -> tuple[int, str] | None:
    discounts = [discount for _, discount in create.elements("discounts")]
    coupons = [create.find("coupon", discount.get("coupon")) for discount in discounts]
    known = [coupon for coupon in coupons if coupon is not None]
    if len(known) < len(coupons):
        return None
    customer = create.find("customer", create.value("customer")) or {}
    credit = min(0, customer.get("balance") or 0)
    return less_coupons(amount, known) + credit, currency


def check_billing_cycle_anchor(create: Situation) -> None:
    """Refuse an anchor after the end of the first period. Without a trial only, because a trial moves the period."""
    anchor = create.value("billing_cycle_anchor")
    if not isinstance(anchor, int) or _has_trial(create):
        return
    prices = [price_of(create, element) or {} for _, element in create.elements("items")]
    periods = [_longest_period_s(price["recurring"]) for price in prices if price.get("recurring")]
    if periods and anchor > create.now + max(periods):
        raise invalid_request(
            "billing_cycle_anchor cannot be later than next natural billing date "
            f"({create.now + max(periods)}) for plan",
            param="billing_cycle_anchor",
        )


def _has_trial(create: Situation) -> bool:
    return any(create.value(name) for name in ("trial_end", "trial_period_days", "trial_from_plan"))


def _longest_period_s(recurring: Mapping[str, Any]) -> int:
    """Return the longest time that the interval can take, in seconds, because months differ."""
    return _DAYS[recurring["interval"]] * int(recurring.get("interval_count") or 1) * _DAY_S
