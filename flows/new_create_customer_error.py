"""Runs when a customer was not created, or may have been. `certainty` says which."""


def run(parsed_error, flow):
    if parsed_error.code == "flow_failed":
        flow.log.error("the customer is there, but its own flow failed: %s", parsed_error)
        return
    flow.log.warning("customer (%s): %s", parsed_error.certainty, parsed_error)
    if parsed_error.certainty == "unknown":
        # It may exist: asking again under a new request could make a second one.
        flow.log.warning("next: wait for reconciliation before asking again")
    elif parsed_error.kind == "api":
        flow.log.info("next: correct %s and dispatch it again", parsed_error.param or "the request")
    else:
        flow.log.info("next: dispatch it again")
