"""Runs when a price was not created, or may have been. The conversation ends here."""


def run(parsed_error, flow):
    flow.log.warning("no price for %s: %s", flow.params.get("product"), parsed_error)
