"""Runs when Stripe has created a payment intent. The next step depends on its status.

An authorised one is captured: Stripe has reserved the money, because the request had `capture_method=manual`.
"""

NEXT_STEPS = {
    "requires_payment_method": "collect a payment method with the client secret",
    "requires_confirmation": "confirm it",
    "requires_action": "let the customer authenticate",
    "processing": "wait for the webhook",
    "requires_capture": "capture it",
    "succeeded": "fulfil the order",
}


def run(parsed_data, flow):
    status = parsed_data["status"]
    flow.log.info("payment intent %s is %s", parsed_data["id"], status)
    flow.log.info("next: %s", NEXT_STEPS.get(status, "look it up in Stripe's dashboard"))
    if status == "requires_capture":
        capture(parsed_data, flow)


def capture(payment_intent, flow):
    """Take the reserved money: the final amount in the metadata, or all of it.

    A shop that must pack the goods first does so before this line, or captures from another program.
    """
    final_amount = payment_intent["metadata"].get("final_amount")
    params = {} if final_amount is None else {"amount_to_capture": int(final_amount)}
    flow.capture_payment_intent(payment_intent["id"], **params).call_async()
