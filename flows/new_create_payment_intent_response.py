"""Runs when Stripe has created a payment intent. The next step depends on its status."""

NEXT_STEPS = {
    "requires_payment_method": "collect a payment method with the client secret",
    "requires_confirmation": "confirm it",
    "requires_action": "let the customer authenticate",
    "processing": "wait for the webhook",
    "succeeded": "fulfil the order",
}


def run(parsed_data, flow):
    status = parsed_data["status"]
    flow.log.info("payment intent %s is %s", parsed_data["id"], status)
    flow.log.info("next: %s", NEXT_STEPS.get(status, "look it up in Stripe's dashboard"))
