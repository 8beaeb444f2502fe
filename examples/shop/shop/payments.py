"""Ask Stripe for the money of an order. The flows in `flows/` take it from there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from paydispatch import Receipt, new_payment_intent

if TYPE_CHECKING:
    from shop.orders import Order

WORKER = "shop"


def authorise(order: Order) -> Receipt:
    """Reserve the money on the card. The key of the order makes a repeat the same request."""
    payment = (
        new_payment_intent().amount(order.amount).currency("eur").metadata({"order": order.id})
    )
    payment.payment_method(order.card).confirm(True).capture_method("manual")
    payment.automatic_payment_methods({"enabled": True, "allow_redirects": "never"})
    return payment.create_async(
        WORKER, order.id, os.environ["STRIPE_SECRET_KEY"], idempotency_key=f"authorise-{order.id}"
    )
