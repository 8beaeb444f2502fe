"""Runs when a cancel failed or may have failed. The customer's money may still be reserved."""


def run(parsed_error, flow):
    intent = flow.path["intent"]
    flow.log.warning("cancel of %s (%s): %s", intent, parsed_error.certainty, parsed_error)
    if parsed_error.code == "flow_failed":
        flow.log.error("next: tell the customer by hand, because the payment intent is canceled")
    elif parsed_error.certainty == "unknown":
        flow.log.warning("next: wait for reconciliation")
    elif parsed_error.code == "payment_intent_unexpected_state":
        flow.log.warning("next: look at %s, because it was captured or canceled before", intent)
    else:
        flow.log.warning("next: cancel it by hand, or the bank releases the money after some days")
