"""Dispatch payments without waiting for Stripe.

Runs against any deployed stack, or against a stack on this machine:

    paydispatch local --json > stack.json &                        # wait for the line in stack.json
    eval "$(python examples/local_environment.py < stack.json)"
    python examples/payment_usage_example.py

Needs REQUEST_QUEUE_URL and SEALING_KEY_ID (BATCH_QUEUE_URL if there is one), and AWS's own variables.
STRIPE_SECRET is the key to charge with. The default is a test key that only the Stripe twin accepts. CUSTOMER is the id
of a customer in the account of that key. Without it the payments have no customer, and nobody is subscribed.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from typing import TYPE_CHECKING

from paydispatch import (
    BadRequest,
    BadSetting,
    Dispatcher,
    NotDelivered,
    create_coupon_async,
    new_payment_intent,
    new_product,
)

if TYPE_CHECKING:
    from paydispatch import Receipt

WORKER = "payment-worker-1"
"""The worker that runs the flows of these requests."""


def charge(order: str, stripe_secret: str) -> Receipt:
    """Dispatch one payment intent. Its context is the order, so the flows of one order run one after the other."""
    return (
        new_payment_intent()
        .amount(2000)  # minor units: 20.00
        .currency("usd")
        .customer(os.environ.get("CUSTOMER"))  # None is not sent
        .metadata({"order": order})
        .create_async(WORKER, order, stripe_secret)
    )


def charge_once(order: str, stripe_secret: str) -> Receipt:
    """Dispatch the same with an idempotency key, so that two calls for one order charge once."""
    payment = new_payment_intent().amount(2000).currency("usd").metadata({"order": order})
    return payment.create_async(WORKER, order, stripe_secret, idempotency_key=f"charge-{order}")


def start_subscription(order: str, stripe_secret: str) -> Receipt:
    """Start a conversation: the product's flow creates the price, and the price's flow subscribes the customer."""
    conversation = {"monthly_price": "1500"}
    if "CUSTOMER" in os.environ:
        conversation["customer"] = os.environ["CUSTOMER"]
    product = new_product().name("Monthly tea").metadata(conversation)
    return product.create_async(WORKER, order, stripe_secret)


def give_coupons(count: int, stripe_secret: str) -> list[Receipt]:
    """Dispatch coupons through the batch lane, so that they do not delay the payments of the interactive lane."""
    return [
        create_coupon_async(
            {"percent_off": 10, "duration": "once"},
            WORKER,
            f"coupon-{number}",
            stripe_secret,
            lane="batch",
        )
        for number in range(count)
    ]


def catch_refusal(stripe_secret: str) -> BadRequest:
    """Return the error of a request that Stripe's schema refuses. It is raised at once, and nothing is queued."""
    try:
        new_payment_intent().amount(2000).create_async(WORKER, "order-0", stripe_secret)
    except BadRequest as error:
        return error
    raise AssertionError("a payment intent without a currency was accepted")


def from_a_script(stripe_secret: str) -> None:
    with Dispatcher.from_env():
        started = time.perf_counter()
        receipts = [charge("order-1001", stripe_secret), charge_once("order-1002", stripe_secret)]
        again = charge_once("order-1002", stripe_secret)
        receipts.append(start_subscription("order-1003", stripe_secret))
        receipts += give_coupons(3, stripe_secret)
        returned_ms = (time.perf_counter() - started) * 1000 / len([*receipts, again])
        print(f"refused at once: {catch_refusal(stripe_secret)}")
        print(f"local:   {receipts[0]}")
        receipts[0].wait(timeout_s=10)
        print(f"durable: {receipts[0]}")
    # The end of the block has waited for all of them.
    print(f"same key, same request: {again.request_id == receipts[1].request_id}")
    print(f"create_async returned after {returned_ms:.2f} ms per request. All are durable now:")
    for receipt in receipts:
        print(f"  {receipt}")


async def from_asyncio(stripe_secret: str) -> None:
    """Dispatch from a program that runs an event loop. `await` a receipt to wait until it is durable."""
    async with Dispatcher.from_env():
        receipt = charge("order-1004", stripe_secret)
        await receipt
        print(f"awaited: {receipt}")


def main() -> int:
    stripe_secret = os.environ.get("STRIPE_SECRET", "sk_test_example")
    try:
        from_a_script(stripe_secret)
        asyncio.run(from_asyncio(stripe_secret))
    except BadSetting as missing:
        print(f"{missing}\n\n{__doc__}", file=sys.stderr)
        return 2
    except NotDelivered as lost:
        # It names the refused requests and those that may be on the queue. Repeat the latter with redispatch(receipt).
        print(lost, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
