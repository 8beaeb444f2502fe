"""Runs when a coupon was not created, or may have been. A coupon with the chosen id may exist already."""


def run(parsed_error, flow):
    if parsed_error.code == "resource_already_exists":
        flow.log.info("coupon %s exists already", flow.params.get("id"))
        return
    flow.log.warning("no coupon: %s", parsed_error)
