"""Runs when a product was not created, or may have been, and when its response flow failed."""


def run(parsed_error, flow):
    if parsed_error.code == "flow_failed":
        flow.log.error("the product is there, but its own flow failed: %s", parsed_error)
        return
    flow.log.warning("no product: %s", parsed_error)
