"""Runs when a capture failed or may have failed. Releases the reserved money, but only if nothing was captured."""


def run(parsed_error, flow):
    intent = flow.path["intent"]
    flow.log.warning("capture of %s (%s): %s", intent, parsed_error.certainty, parsed_error)
    if parsed_error.code == "flow_failed":
        flow.log.error("next: fulfil the order by hand, because the money is captured")
    elif parsed_error.certainty == "not_executed":
        flow.cancel_payment_intent(intent).call_async()
        flow.log.info("next: release the reserved money, and ask the customer again")
    else:
        # Stripe may have captured the money. A cancel now would tell the customer that nothing is owed, while the
        # payment may be there. Nothing is lost by waiting: the settled outcome runs the response flow, or this flow
        # once more with `not_executed`. If nobody settles it, the bank releases the money after some days.
        flow.log.warning("next: wait for reconciliation, and neither ship nor cancel before")
