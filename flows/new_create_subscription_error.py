"""No subscription. The customer and the price it was for are in the parameters of the request."""


def run(parsed_error, flow):
    flow.log.warning("%s is not subscribed: %s", flow.params.get("customer"), parsed_error)
