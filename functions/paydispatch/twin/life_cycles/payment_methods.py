"""A payment method is attached to a customer, and detached for good."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydispatch.twin.derived import payment_methods
from paydispatch.twin.objects import cards
from paydispatch.twin.wire.errors import card_error, invalid_request

if TYPE_CHECKING:
    from paydispatch.twin.life_cycles.change import Change
    from paydispatch.twin.objects.store import StripeObject

_ATTACH = {"when": {}, "with": ["payment_method"], "use": "attach"}


def attach(change: Change) -> None:
    """Attach a payment method to a customer. A test card such as `pm_card_visa` makes a new one."""
    method, customer = change.target, change.params.get("customer")
    refusal = cards.refusal((_ATTACH,), {"payment_method": method["id"]}, change.context.find)
    if isinstance(refusal, cards.Declined):
        raise card_error(refusal.error)
    if method["customer"] not in (None, customer):
        raise invalid_request(
            "The payment method you provided has already been attached to a customer.",
            code="payment_method_already_attached",
        )
    if payment_methods.is_test_card(method["id"]):
        made = payment_methods.of_card(method["id"], str(customer), change.context)
        method.clear()
        method.update(made)
    method["customer"] = customer


def attach_to(customer: str | None, method: StripeObject, change: Change) -> None:
    method["customer"] = customer
    change.save(method)


def detach(change: Change) -> None:
    """Detach a payment method. The customer no longer pays with it by default."""
    method = change.target
    if method["customer"] is None:
        raise invalid_request(
            "The payment method you provided is not attached to a customer so detachment is "
            "impossible.",
        )
    customer = change.find(method["customer"]) or {}
    method["customer"] = None
    settings = customer.get("invoice_settings") or {}
    if settings.get("default_payment_method") == method["id"]:
        settings["default_payment_method"] = None
        change.save(customer)
