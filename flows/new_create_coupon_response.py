"""Runs when Stripe has created a coupon, which can now be given to customers."""


def run(parsed_data, flow):
    off = parsed_data.get("percent_off")
    worth = (
        f"{off} %" if off is not None else f"{parsed_data['amount_off']} {parsed_data['currency']}"
    )
    flow.log.info("coupon %s takes %s off (%s)", parsed_data["id"], worth, parsed_data["duration"])
