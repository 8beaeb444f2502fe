"""The first invoice of a subscription, and the payment intent that pays it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paydispatch.twin.derived import invoices
from paydispatch.twin.objects.factory import make
from paydispatch.twin.objects.first_amounts import less_coupons
from paydispatch.twin.objects.naming import id_after

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from paydispatch.twin.objects.factory import CreationContext
    from paydispatch.twin.objects.store import StripeObject

_CARD_OF_THE_TWIN = "pm_card_visa"
"""Pays a subscription whose customer has no payment method. Stripe would refuse the create."""


def of_subscription(
    subscription: StripeObject, params: Mapping[str, Any], context: CreationContext
) -> Iterator[StripeObject]:
    """Yield the invoice, its payment and its payment intent, and set the status and `latest_invoice`.

    With `payment_behavior=default_incomplete` the invoice stays open and its payment intent waits for the cardholder.
    Otherwise the payment succeeds. Nothing is paid without an amount, or before an invoice is sent.
    """
    items = subscription["items"]
    items["url"] = f"/v1/subscription_items?subscription={subscription['id']}"
    due = amount_due(subscription, params, context)
    is_charged = due > 0 and subscription["collection_method"] == "charge_automatically"
    if subscription["status"] == "incomplete" and not is_charged:
        subscription["status"] = "active"
    invoice = invoices.of_subscription(subscription, due, context)
    subscription["latest_invoice"] = invoice["id"]
    if is_charged:
        intent = _intent(subscription, invoice, context)
        yield intent
        yield invoices.pay_with(invoice, intent, context)
    yield invoice


def amount_due(
    subscription: StripeObject, params: Mapping[str, Any], context: CreationContext
) -> int:
    """Return the amount of the first invoice: nothing in a trial, else all items less their coupons."""
    if subscription["status"] == "trialing":
        return 0
    total = sum(invoices.first_amount_of(item) for item in subscription["items"]["data"])
    discounts = params.get("discounts") or ()
    coupons = [context.find(str(discount.get("coupon"))) or {} for discount in discounts]
    return max(0, less_coupons(total, coupons))


def has_payment_method(subscription: StripeObject, context: CreationContext) -> bool:
    return _payment_method(subscription, context) is not None


def _payment_method(subscription: StripeObject, context: CreationContext) -> Any:
    """Return the id with which Stripe pays: the subscription's own, or else the default of its customer."""
    customer = context.find(str(subscription["customer"])) or {}
    settings = customer.get("invoice_settings") or {}
    own = subscription["default_payment_method"] or subscription["default_source"]
    return own or settings.get("default_payment_method") or customer.get("default_source")


def _intent(
    subscription: StripeObject, invoice: StripeObject, context: CreationContext
) -> StripeObject:
    waits = subscription["status"] == "incomplete"
    method = _payment_method(subscription, context)
    params = {
        "id": id_after("pi", subscription),
        "amount": invoice["amount_due"],
        "confirm": not waits,
        "currency": invoice["currency"],
        "customer": subscription["customer"],
        "description": "Subscription creation",
        "payment_method": method if waits else method or _CARD_OF_THE_TWIN,
        "setup_future_usage": "off_session",
    }
    return make("payment_intent", params, context)
