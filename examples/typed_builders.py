"""Use the typed builders and functions: an editor completes every parameter, and a type checker refuses a wrong one.

Call these functions inside the `with` block of a Dispatcher. The README shows one.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from paydispatch import (
    create_coupon_async,
    new_coupon,
    new_payment_intent,
    new_price,
    new_product,
    new_subscription,
)
from paydispatch.operations import capture_payment_intent

if TYPE_CHECKING:
    from paydispatch import Receipt
    from paydispatch.sdk.builders import Builders, CouponBuilder, PriceBuilder, ProductBuilder
    from paydispatch.sdk.params import SubscriptionItem

WORKER, CONTEXT, SECRET = "payment-worker-1", "context-123", "sk_test_..."


def product() -> ProductBuilder:
    return (
        new_product()
        .name("Espresso beans")
        .active(True)
        .metadata({"sku": "beans-1kg"})
        .default_price_data({"currency": "eur", "unit_amount": 1890})
    )


def monthly_price(product_id: str) -> PriceBuilder:
    """Build a price. A nested value is a plain dict with typed keys and values."""
    return (
        new_price()
        .currency("eur")
        .product(product_id)
        .unit_amount_decimal("1890.5")
        .recurring({"interval": "month", "interval_count": 1})
    )


def first_order_coupon() -> CouponBuilder:
    return (
        new_coupon()
        .percent_off(12.5)
        .duration("once")
        .redeem_by(datetime.now(UTC) + timedelta(days=30))
    )


def subscribe(customer: str, price: str, coupon: str | None) -> Receipt:
    """Subscribe a customer. A parameter that is `None` is not sent, so an optional value needs no `if`."""
    items: list[SubscriptionItem] = [{"price": price, "quantity": 2}]
    return (
        new_subscription()
        .customer(customer)
        .items(items)
        .description(coupon)
        .trial_end("now")
        .create_async(WORKER, CONTEXT, SECRET, idempotency_key=f"{customer}-beans")
    )


def charge(customer: str) -> Receipt:
    return (
        new_payment_intent()
        .amount(2000)
        .currency("eur")
        .customer(customer)
        .automatic_payment_methods({"enabled": True, "allow_redirects": "never"})
        .payment_method_options({"card": {"request_three_d_secure": "any"}})
        .create_async(WORKER, CONTEXT, SECRET, lane="batch", deadline_s=3600)
    )


def as_functions() -> list[Receipt]:
    """Dispatch with functions instead of methods. They take a builder or plain parameters."""
    return [
        create_coupon_async(first_order_coupon(), WORKER, CONTEXT, SECRET),
        create_coupon_async({"percent_off": 5}, WORKER, CONTEXT, SECRET),
    ]


def capture(payment_intent: str) -> Receipt:
    """Ask for any other write of Stripe's API. The ids come first, then the parameters of the official library."""
    asked = capture_payment_intent(payment_intent, amount_to_capture=500, final_capture=True)
    return asked.call_async(WORKER, CONTEXT, SECRET, idempotency_key=f"capture-{payment_intent}")


def next_capture(flow: Builders, payment_intent: str) -> Receipt:
    return flow.capture_payment_intent(payment_intent).call_async(lane="batch")


def next_step(flow: Builders, product_id: str) -> Receipt:
    """Dispatch from a flow. Its builders already know worker, context and key."""
    return flow.new_price().currency("eur").product(product_id).unit_amount(1890).create_async()
