"""The balance of a customer, the default payment method, the discount, and the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydispatch.twin.derived import customer_cards, payment_methods
from paydispatch.twin.life_cycles import subscriptions
from paydispatch.twin.objects.factory import make

if TYPE_CHECKING:
    from paydispatch.twin.life_cycles.change import Change
    from paydispatch.twin.objects.store import StripeObject


def update(change: Change) -> None:
    """Change the fields. A new source becomes the default source."""
    change.merge("balance", "source")
    if "balance" in change.params:
        change.target["balance"] = change.params["balance"] or 0
    change.keep_all([*customer_cards.of_customer(change.target, change.params, change.context)])
    _take_test_card(change)


def _take_test_card(change: Change) -> None:
    """Make the payment method of a test card that is to be the default one."""
    settings = change.target.get("invoice_settings") or {}
    named = str(settings.get("default_payment_method"))
    if payment_methods.is_test_card(named):
        method = payment_methods.of_card(named, change.target["id"], change.context)
        settings["default_payment_method"] = method["id"]
        change.save(method)


def delete(change: Change) -> StripeObject:
    """Delete the customer, cancel the subscriptions, and detach the payment methods."""
    customer_id = change.target["id"]
    for each in change.objects.of_kind("subscription"):
        if each["customer"] == customer_id and each["status"] != "canceled":
            subscriptions.end(each, change)
            change.save(each)
    for each in change.objects.of_kind("payment_method"):
        if each["customer"] == customer_id:
            each["customer"] = None
            change.save(each)
    return {"id": customer_id, "object": "customer", "deleted": True}


def add_to_balance(change: Change) -> StripeObject:
    """Make a transaction, and change the balance of the customer by its amount."""
    customer, amount = change.target, change.params["amount"]
    customer["balance"] = (customer.get("balance") or 0) + amount
    customer["currency"] = customer.get("currency") or change.params["currency"]
    also = {"ending_balance": customer["balance"], "type": "adjustment"}
    params = {**change.params, "customer": customer["id"]}
    made = make("customer_balance_transaction", params, change.context, also)
    change.save(made)
    return made


def drop_discount(change: Change) -> StripeObject:
    """Remove the discount of a customer or of a subscription."""
    target = change.target
    found = target.get("discount") or {}
    target["discount"] = None
    if target["object"] == "subscription":
        target["discounts"] = []
    customer = target["id"] if target["object"] == "customer" else target["customer"]
    return {
        "id": found.get("id", f"di_{change.context.naming.letters(24)}"),
        "object": "discount",
        "customer": customer,
        "deleted": True,
    }
