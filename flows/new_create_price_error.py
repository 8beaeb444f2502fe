"""No price: whatever was to follow in this conversation does not."""


def run(parsed_error, flow):
    flow.log.warning("no price for %s: %s", flow.params.get("product"), parsed_error)
