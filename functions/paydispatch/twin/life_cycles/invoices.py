"""An invoice is finalized, paid, voided, given up, or deleted as a draft.

draft → open → paid
             → uncollectible → paid, void
             → void
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydispatch.twin.derived import invoices
from paydispatch.twin.life_cycles.charging import charge
from paydispatch.twin.objects.factory import make
from paydispatch.twin.objects.naming import id_after
from paydispatch.twin.wire.errors import invalid_request

if TYPE_CHECKING:
    from paydispatch.twin.life_cycles.change import Change
    from paydispatch.twin.objects.store import StripeObject

_CARD_OF_THE_TWIN = "pm_card_visa"
"""Pays an invoice whose customer has no payment method. Stripe would refuse it."""


def finalize(change: Change) -> None:
    """Finalize a draft. An invoice of nothing is paid at once."""
    invoice = change.target
    if invoice["status"] != "draft":
        raise invalid_request(
            "This invoice is already finalized, you can't re-finalize a non-draft invoice.",
        )
    _finalize(invoice, change)


def pay(change: Change) -> None:
    """Pay an invoice with a card, or out of band. Raises `StripeError` (400, 402)."""
    invoice = change.target
    if invoice["status"] == "draft":
        _finalize(invoice, change)
    elif invoice["status"] == "paid":
        raise invalid_request("Invoice is already paid")
    elif invoice["status"] == "void":
        raise invalid_request("You cannot pay a void invoice.")
    if invoice["status"] == "paid":
        return
    change.save(invoice)
    if not change.params.get("paid_out_of_band"):
        _charge(invoice, change)
    _settle(invoice, change)


def send(change: Change) -> None:
    """Send an invoice. A draft is finalized first."""
    if change.target["status"] == "draft":
        _finalize(change.target, change)


def void(change: Change) -> None:
    """Void an invoice that is open or uncollectible."""
    _leave_open(change, ("open", "uncollectible"), "void", "voided_at")


def mark_uncollectible(change: Change) -> None:
    """Give up an open invoice."""
    _leave_open(change, ("open",), "uncollectible", "marked_uncollectible_at")


def delete(change: Change) -> StripeObject:
    """Delete a draft."""
    if change.target["status"] != "draft":
        raise invalid_request("You can only delete draft invoices.", code="invoice_not_editable")
    return {"id": change.target["id"], "object": "invoice", "deleted": True}


def settle_invoice_of(intent: StripeObject, change: Change) -> None:
    """Mark the invoice paid that a payment intent pays, if there is one."""
    invoice = change.find(id_after("in", intent))
    if invoice is None or invoice["object"] != "invoice" or invoice["status"] != "open":
        return
    if any(each["payment"]["payment_intent"] == intent["id"] for each in _payments(invoice)):
        _settle(invoice, change)
        change.save(invoice)


def _finalize(invoice: StripeObject, change: Change) -> None:
    invoice["status"] = "open" if invoice["amount_due"] else "paid"
    invoices.finalize(invoice, change.context)


def _leave_open(change: Change, allowed: tuple[str, ...], status: str, stamp: str) -> None:
    invoice = change.target
    if invoice["status"] not in allowed:
        raise invalid_request("You can only pass in open invoices. This invoice isn't open.")
    invoice["status"] = status
    invoice["status_transitions"][stamp] = change.now


def _payments(invoice: StripeObject) -> list[StripeObject]:
    found: list[StripeObject] = invoice["payments"]["data"]
    return found


def _charge(invoice: StripeObject, change: Change) -> None:
    """Charge the payment intent of the invoice. Make one if it has none."""
    named = change.params.get("payment_method") or invoice["default_payment_method"]
    known = [change.find(each["payment"]["payment_intent"]) for each in _payments(invoice)]
    intent = known[0] if known else None
    if intent is None:
        params = {
            "amount": invoice["amount_due"],
            "currency": invoice["currency"],
            "customer": invoice["customer"],
            "payment_method": named or _CARD_OF_THE_TWIN,
        }
        intent = make("payment_intent", params, change.context)
        change.save(intent)
        change.save(invoices.pay_with(invoice, intent, change.context))
    intent["payment_method"] = named or intent["payment_method"] or _CARD_OF_THE_TWIN
    charge(intent, change)


def _settle(invoice: StripeObject, change: Change) -> None:
    due = invoice["amount_due"]
    invoice.update(status="paid", amount_paid=due, amount_remaining=0, attempted=True)
    invoice["attempt_count"] = (invoice["attempt_count"] or 0) + 1
    invoice["status_transitions"]["paid_at"] = change.now
    for payment in _payments(invoice):
        payment.update(status="paid", amount_paid=due)
        payment["status_transitions"]["paid_at"] = change.now
        change.save(payment)
    _activate_subscription(invoice, change)


def _activate_subscription(invoice: StripeObject, change: Change) -> None:
    details = (invoice["parent"] or {}).get("subscription_details") or {}
    subscription = change.find(details.get("subscription"))
    if subscription is not None and subscription["status"] in ("incomplete", "past_due"):
        subscription["status"] = "active"
        change.save(subscription)
