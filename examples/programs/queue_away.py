"""The answers of a web request to a queue that is full, away, or silent."""

from paydispatch import MaybeAccepted, Receipt, Unavailable, new_payment_intent


def pay(order: str, stripe_secret: str) -> tuple[int, str]:
    """Return the HTTP status and its reason, two seconds after the call at the latest."""
    intent = new_payment_intent().amount(2000).currency("usd")
    try:
        receipt = intent.create_async(
            "payment-worker-1", order, stripe_secret, idempotency_key=f"pay-{order}"
        )
    except Unavailable as full:  # BufferFull: the queue has been away for long
        return 503, str(full)
    return wait(receipt)


def wait(receipt: Receipt) -> tuple[int, str]:
    try:
        receipt.wait(timeout_s=2)
    except TimeoutError:
        return 202, "The request is in the buffer, and is sent until delivery_timeout_s is over."
    except MaybeAccepted as lost:
        return 503, f"It may be on the queue. Send the same order again: {lost}"
    except Unavailable as away:
        return 503, f"It is not on the queue. Send the same order again: {away}"
    return 202, "The queue has it."
