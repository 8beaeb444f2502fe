"""Runs when Stripe has canceled a payment intent: the reserved money is free, and the customer pays nothing."""


def run(parsed_data, flow):
    flow.log.info("payment intent %s is %s", parsed_data["id"], parsed_data["status"])
    flow.log.info("next: tell the customer that the order of %s is canceled", flow.context_id)
