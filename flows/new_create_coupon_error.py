"""No coupon. One with a chosen id that exists already is as good as a new one."""


def run(parsed_error, flow):
    if parsed_error.code == "resource_already_exists":
        flow.log.info("coupon %s exists already", flow.params.get("id"))
        return
    flow.log.warning("no coupon: %s", parsed_error)
