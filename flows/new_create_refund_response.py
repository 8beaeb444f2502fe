"""Runs when Stripe has created a refund. `flow` can dispatch the next create here."""


def run(parsed_data, flow):
    flow.log.info("refund %s is there", parsed_data["id"])
    flow.log.info("next: nothing, %s ends here", flow.context_id)
