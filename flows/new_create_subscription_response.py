"""Runs when Stripe has created a subscription, the last step of product → price → subscription."""


def run(parsed_data, flow):
    flow.log.info(
        "subscription %s of %s is %s",
        parsed_data["id"],
        parsed_data["customer"],
        parsed_data["status"],
    )
