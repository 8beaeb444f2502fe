"""Runs when Stripe has created a price. Subscribes the customer in its metadata, if any, with their coupon."""


def run(parsed_data, flow):
    metadata = parsed_data["metadata"]
    flow.log.info("price %s is there", parsed_data["id"])
    if "customer" not in metadata:
        return
    subscription = (
        flow.new_subscription()
        .customer(metadata["customer"])
        .items([{"price": parsed_data["id"]}])
        .payment_behavior("default_incomplete")
    )
    if "coupon" in metadata:
        subscription.discounts([{"coupon": metadata["coupon"]}])
    subscription.create_async()
