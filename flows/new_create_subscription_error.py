"""Runs when a subscription was not created, or may have been. `flow.params` has its customer and price."""


def run(parsed_error, flow):
    flow.log.warning("%s is not subscribed: %s", flow.params.get("customer"), parsed_error)
