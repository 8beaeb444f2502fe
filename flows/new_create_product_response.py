"""Runs when Stripe has created a product. Creates the monthly price that its metadata names, if any."""


def run(parsed_data, flow):
    metadata = parsed_data["metadata"]
    flow.log.info("product %s (%s) is there", parsed_data["id"], parsed_data["name"])
    if "monthly_price" not in metadata:
        return
    (
        flow.new_price()
        .product(parsed_data["id"])
        .unit_amount(int(metadata["monthly_price"]))  # minor units: 1500 is 15.00
        .currency(metadata.get("currency", "usd"))
        .recurring({"interval": "month"})
        .metadata({name: metadata[name] for name in ("customer", "coupon") if name in metadata})
        .create_async()
    )
