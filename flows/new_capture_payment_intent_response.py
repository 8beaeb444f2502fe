"""Runs when Stripe has captured a payment intent: the customer has paid."""


def run(parsed_data, flow):
    flow.log.info(
        "payment intent %s: %s captured", parsed_data["id"], parsed_data["amount_received"]
    )
    flow.log.info("next: fulfil the order of %s", flow.context_id)
