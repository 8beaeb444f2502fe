"""Runs when Stripe has created a checkout session. `flow` can dispatch the next create here."""


def run(parsed_data, flow):
    flow.log.info("checkout session %s is there", parsed_data["id"])
    flow.log.info("next: nothing, %s ends here", flow.context_id)
