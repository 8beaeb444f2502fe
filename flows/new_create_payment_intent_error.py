"""Runs when a payment intent was not created, or may have been. The next step depends on the kind of error."""


def run(parsed_error, flow):
    flow.log.warning("payment intent of %s: %s", flow.context_id, parsed_error)
    if parsed_error.certainty == "unknown":
        # It may exist: charging again under a new request could charge twice.
        flow.log.warning("next: wait for reconciliation before asking this customer again")
    elif parsed_error.kind == "api" and parsed_error.type == "card_error":
        reason = parsed_error.decline_code or parsed_error.code
        flow.log.info("next: ask the customer for another card (%s)", reason)
    elif parsed_error.kind == "api":
        flow.log.info("next: correct %s and dispatch it again", parsed_error.param or "the request")
    else:
        flow.log.info("next: dispatch it again")
