"""The first invoice of a subscription: its lines, its status, and the record of its payment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paydispatch.twin.objects.factory import complete, make
from paydispatch.twin.objects.first_amounts import amount_of
from paydispatch.twin.objects.naming import id_after
from paydispatch.twin.objects.shapes import fresh_object, response_schema

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paydispatch.twin.objects.factory import CreationContext
    from paydispatch.twin.objects.store import StripeObject

_COPIED = (
    "collection_method",
    "currency",
    "customer",
    "days_until_due",
    "default_payment_method",
    "default_source",
    "description",
    "on_behalf_of",
)


def of_subscription(subscription: StripeObject, due: int, context: CreationContext) -> StripeObject:
    """Return the invoice: a draft if it is sent, open if the first payment waits, else paid."""
    params = {name: subscription[name] for name in _COPIED if subscription.get(name)}
    invoice = make("invoice", {**params, "id": id_after("in", subscription)}, context)
    if subscription["collection_method"] == "send_invoice":
        status = "draft"
    else:
        status = "open" if subscription["status"] == "incomplete" else "paid"
    invoice.update(_amounts(due, status), status=status, billing_reason="subscription_create")
    invoice["lines"] = _lines(subscription, invoice, context)
    invoice["parent"] = {
        "quote_details": None,
        "subscription_details": {
            "metadata": subscription["metadata"],
            "subscription": subscription["id"],
        },
        "type": "subscription_details",
    }
    if status != "draft":
        finalize(invoice, context)
    return invoice


def first_amount_of(item: Mapping[str, Any]) -> int:
    """Return the amount of an item for one period. Metered and tiered prices cost nothing at first."""
    return amount_of(item["price"], item.get("quantity", 0)) or 0


def pay_with(invoice: StripeObject, intent: StripeObject, context: CreationContext) -> StripeObject:
    """Return the payment of the invoice by the payment intent. Set `payments` and `confirmation_secret`."""
    paid = invoice["status"] == "paid"
    payment = complete(
        "invoice_payment",
        {
            "id": id_after("inpay", invoice),
            "amount_paid": invoice["amount_due"] if paid else None,
            "amount_requested": invoice["amount_due"],
            "currency": invoice["currency"],
            "invoice": invoice["id"],
            "is_default": True,
            "payment": {"payment_intent": intent["id"], "type": "payment_intent"},
            "status": "paid" if paid else "open",
            "status_transitions": {
                "canceled_at": None,
                "paid_at": context.now if paid else None,
            },
        },
        context,
    )
    invoice["payments"]["data"].append(payment)
    invoice["confirmation_secret"] = {
        "client_secret": intent["client_secret"],
        "type": "payment_intent",
    }
    return payment


def _amounts(due: int, status: str) -> dict[str, int]:
    paid = due if status == "paid" else 0
    return {
        "amount_due": due,
        "amount_paid": paid,
        "amount_remaining": due - paid,
        "subtotal": due,
        "total": due,
    }


def finalize(invoice: StripeObject, context: CreationContext) -> None:
    """Give an invoice the fields that it has from its finalization on. Its status is set already."""
    paid = invoice["status"] == "paid"
    invoice["attempted"] = paid
    invoice["number"] = f"{context.naming.letters(8).upper()}-0001"
    invoice["hosted_invoice_url"] = f"https://invoice.stripe.com/i/{invoice['id']}"
    invoice["invoice_pdf"] = f"https://pay.stripe.com/invoice/{invoice['id']}/pdf"
    invoice["effective_at"] = context.now
    invoice["status_transitions"]["finalized_at"] = context.now
    invoice["status_transitions"]["paid_at"] = context.now if paid else None


def _lines(
    subscription: StripeObject, invoice: StripeObject, context: CreationContext
) -> StripeObject:
    is_trial = subscription["status"] == "trialing"
    lines = [_line(item, invoice, is_trial, context) for item in subscription["items"]["data"]]
    url = f"/v1/invoices/{invoice['id']}/lines"
    return {"object": "list", "data": lines, "has_more": False, "url": url}


def _line(
    item: StripeObject, invoice: StripeObject, is_trial: bool, context: CreationContext
) -> StripeObject:
    element = response_schema("invoice")["properties"]["lines"]["list"]
    price, amount = item["price"], 0 if is_trial else first_amount_of(item)
    fields = {
        "id": f"il_{context.naming.letters(24)}",
        "object": "line_item",
        "amount": amount,
        "currency": invoice["currency"],
        "invoice": invoice["id"],
        "livemode": invoice["livemode"],
        "parent": {
            "invoice_item_details": None,
            "subscription_item_details": {
                "invoice_item": None,
                "proration": False,
                "proration_details": None,
                "subscription": item["subscription"],
                "subscription_item": item["id"],
            },
            "type": "subscription_item_details",
        },
        "period": {"start": context.now, "end": item["current_period_end"]},
        "pricing": {
            "price_details": {"price": price["id"], "product": price["product"]},
            "type": "price_details",
            "unit_amount_decimal": price["unit_amount_decimal"],
        },
        "quantity": item.get("quantity"),
        "subtotal": amount,
    }
    return {**fresh_object(element, context.now), **fields}
