"""No product. When its own script failed the product does exist: it is not created again."""


def run(parsed_error, flow):
    if parsed_error.code == "flow_failed":
        flow.log.error("the product is there, but what should follow failed: %s", parsed_error)
        return
    flow.log.warning("no product: %s", parsed_error)
