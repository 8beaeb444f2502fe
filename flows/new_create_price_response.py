"""A price is there. If its metadata names a customer, they are subscribed to it, with their coupon if they have one."""


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
